"""One optimizer each for F, T and G."""

from __future__ import annotations

from typing import Any

from mmengine.optim import OptimWrapperDict, build_optim_wrapper

from metaloss.engine.model import MetaLossModel
from metaloss.engine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from metaloss.errors import ConfigError

PARTS = ("fusion", "task", "loss")


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MetaLossOptimizers:
    """Builds ``optim_wrapper=dict(constructor='metaloss.MetaLossOptimizers', fusion=..., task=..., loss=...)``.

    Args:
        optim_wrapper_cfg: per part an MMEngine optimizer wrapper config.
        paramwise_cfg: not used here; give it inside a part.
    """

    def __init__(self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None) -> None:
        missing = [part for part in PARTS if part not in optim_wrapper_cfg]
        if missing or paramwise_cfg:
            raise ConfigError(f"optim_wrapper needs {', '.join(PARTS)}, each a wrapper config; missing: {missing}")
        self.parts = optim_wrapper_cfg

    def __call__(self, model: MetaLossModel) -> OptimWrapperDict:
        """Builds the wrappers; a part that has nothing to learn of its own gets none."""
        parts: Any = getattr(model, "module", model)
        return OptimWrapperDict(
            **{
                part: build_optim_wrapper(getattr(parts, part), self.parts[part])
                for part in PARTS
                if parts.learner.trains(part)
            }
        )
