"""A network as a function of its weights, and what is expected of a fusion network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from metaloss.errors import ShapeError
from metaloss.hypergradient.execution import Execution
from metaloss.hypergradient.functional import cloned_buffers, clones, frozen, trainable, with_tensors


@dataclass
class Network:
    """A network's fast weights on their way: trainable and frozen parameters, buffers and rule state."""

    module: nn.Module
    params: dict[str, Tensor]
    frozen: dict[str, Tensor]
    buffers: dict[str, Tensor]
    state: Any = None
    running: bool = False

    @staticmethod
    def of(module: nn.Module, state: Any = None) -> Network:
        """Starts at the module's own weights, with copies of its buffers."""
        return Network(module, trainable(module), frozen(module), cloned_buffers(module), state)

    def run(self, params: dict[str, Tensor], body: Any) -> Any:
        """Runs ``body(module)`` with these trainable parameters in place.

        Every run works on buffers of its own, copied from the run before (or around) it: a graph that
        is still needed never sees them change.
        """
        around, self.running = self.running, True
        self.buffers = clones(dict(self.module.named_buffers()) if around else self.buffers)
        try:
            return with_tensors(self.module, {**params, **self.frozen}, self.buffers, body)
        finally:
            self.running = around


def fuse(fusion: nn.Module, sources: tuple[Tensor, ...], execution: Execution, derivatives: int = 1) -> Tensor:
    """Runs the fusion network and checks that it gave one image of the sources' size.

    Args:
        fusion: F.
        sources: n tensors of shape (B, C, H, W).
        execution: how it is run.
        derivatives: how often the image will be differentiated.

    Returns:
        The fused image, of the sources' dtype.

    Raises:
        ShapeError: it is none, or of another size.
    """
    fused = execution.run(fusion, *sources, derivatives=derivatives)
    if not isinstance(fused, Tensor) or fused.ndim != 4 or fused.shape[0] != sources[0].shape[0]:
        given = tuple(fused.shape) if isinstance(fused, Tensor) else type(fused).__name__
        raise ShapeError(
            f"{type(fusion).__name__} returned {given}: a fusion network returns the fused image (B, C, H, W); "
            "for another calling form wrap it in metaloss.Adapted"
        )
    if fused.shape[-2:] != sources[0].shape[-2:]:
        raise ShapeError(
            f"{type(fusion).__name__} fused sources of {tuple(sources[0].shape[-2:])} into an image of "
            f"{tuple(fused.shape[-2:])} pixels: choose a crop or size that it keeps (a multiple of its stride)"
        )
    return fused if execution.precision is None else fused.to(sources[0].dtype)
