"""Fused images with the three channels that the frameworks' networks see."""

from __future__ import annotations

from torch import Tensor

from metaloss.errors import ShapeError


def as_rgb(fused: Tensor) -> Tensor:
    """Repeats a grey image's channel, inside the graph.

    Args:
        fused: of shape (B, 1, H, W) grey or (B, 3, H, W) RGB.

    Returns:
        Of shape (B, 3, H, W).

    Raises:
        ShapeError: another shape.
    """
    if fused.ndim != 4 or fused.shape[1] not in (1, 3):
        raise ShapeError(
            f"fused images of shape {tuple(fused.shape)}: expected grey (B, 1, H, W) or RGB (B, 3, H, W): let the "
            "fusion network give one channel or three"
        )
    return fused.expand(-1, 3, -1, -1)
