"""One optimizer each for F, T and G."""

from __future__ import annotations

import copy
from typing import Any

from mmengine.optim import OptimWrapperDict, build_optim_wrapper
from mmengine.registry import DefaultScope

from metaloss.engine.model import MetaLossModel
from metaloss.engine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from metaloss.errors import ConfigError

_HALF = ("AmpOptimWrapper", "ApexOptimWrapper")
PARTS = ("fusion", "task", "loss")


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MetaLossOptimizers:
    """Builds ``optim_wrapper=dict(constructor='metaloss.MetaLossOptimizers', fusion=..., task=..., loss=...)``.

    Args:
        optim_wrapper_cfg: per part an MMEngine optimizer wrapper config.
        paramwise_cfg: not used here; give it inside a part.

    Raises:
        ConfigError: a part is missing, or has an option that the learner's own steps would pass over.
    """

    def __init__(self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None) -> None:
        missing = [part for part in PARTS if part not in optim_wrapper_cfg]
        if missing or paramwise_cfg:
            raise ConfigError(f"optim_wrapper needs {', '.join(PARTS)}, each a wrapper config; missing: {missing}")
        for part in PARTS:
            _check_wrapper(part, optim_wrapper_cfg[part])
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


def build_optimizers(model: MetaLossModel, config: dict[str, Any]) -> OptimWrapperDict:
    """Builds what steps F, T and G, from a config's ``optim_wrapper``.

    Raises:
        ConfigError: it is not one for each of them, or has options that would be passed over.
    """
    with DefaultScope.overwrite_default_scope("metaloss"):
        built = build_optim_wrapper(model, copy.deepcopy(dict(config)))
    if not isinstance(built, OptimWrapperDict):
        raise ConfigError(
            "optim_wrapper has no part for F, T and G each: give constructor='metaloss.MetaLossOptimizers', with "
            "fusion=, task= and loss="
        )
    return built


def _check_wrapper(part: str, config: dict[str, Any]) -> None:
    """Refuses what MMEngine's ``update_params`` would heed: the learner takes the gradients, and only steps."""
    count = config.get("accumulative_counts", 1)
    if count not in (None, 1):
        what = f"model.accumulate={count}" if part == "loss" else "a larger batch_size"
        raise ConfigError(
            f"optim_wrapper.{part}.accumulative_counts={count}: the learner takes the gradients itself, and steps once "
            f"for each: give {what} instead (model.accumulate is the number of meta steps per update of G)"
        )
    kind = str(config.get("type", "")).rpartition(".")[2]
    if kind in _HALF:
        raise ConfigError(
            f"optim_wrapper.{part}.type={config['type']!r}: the learner takes the gradients itself: for mixed "
            "precision give model.precision='bf16' (or 'fp16')"
        )
