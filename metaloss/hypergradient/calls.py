"""Calls of the fusion network and the fusion loss, checked."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from metaloss.errors import ShapeError
from metaloss.hypergradient.execution import Execution

_TERMS = ("total", "intensity", "gradient", "weights")


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


def fusion_terms(
    loss: nn.Module, fused: Tensor, sources: tuple[Tensor, ...], execution: Execution, derivatives: int = 1
) -> Any:
    """Runs the fusion loss and checks that it gave its terms.

    Args:
        loss: L_f.
        fused: of shape (B, C, H, W).
        sources: n tensors of the same shape.
        execution: how it is run; the loss stays in full precision.
        derivatives: how often the loss will be differentiated.

    Returns:
        The :class:`metaloss.FusionLossTerms`, or anything with the same attributes.

    Raises:
        ShapeError: something else.
    """
    terms = execution.run(loss, fused, sources, derivatives=derivatives, autocast=False)
    missing = [name for name in _TERMS if not isinstance(getattr(terms, name, None), Tensor)]
    if missing:
        raise ShapeError(
            f"{type(loss).__name__} returned {type(terms).__name__} without {', '.join(missing)}: a fusion loss "
            "returns metaloss.FusionLossTerms(total, intensity, gradient, weights)"
        )
    if terms.total.ndim != 0:
        raise ShapeError(
            f"{type(loss).__name__} returned a total of shape {tuple(terms.total.shape)}: expected a scalar mean"
        )
    return terms
