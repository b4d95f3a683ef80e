"""What follows the network: contrast and colour of one fused image."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import torch
from torch import Tensor

from metaloss.colour import fitted_chroma, merge_chroma, rgb_to_ycbcr, ycbcr_to_rgb


class Colour(str, Enum):
    """Whether fused images get the sources' colour."""

    auto = "auto"
    grey = "grey"


class Stretch(str, Enum):
    """How fused images are scaled."""

    none = "none"
    minmax = "minmax"


def stretched(fused: Tensor) -> Tensor:
    """Scales an image so that its smallest value is 0 and its largest 1; a flat image becomes 0."""
    low, high = fused.amin(), fused.amax()
    return (fused - low) / (high - low).clamp_min(torch.finfo(fused.dtype).eps)


def coloured(fused: Tensor, sources: Sequence[Tensor], colour_from: int | None = None) -> Tensor:
    """Gives a fused luma its sources' colour, paled where it cannot be shown.

    Args:
        fused: luma of shape (1, H, W), in [0, 1].
        sources: each (3, H, W) or (1, H, W), in [0, 1].
        colour_from: the number of the source whose colour is taken; ``None``: of all, merged.

    Returns:
        (3, H, W) in [0, 1]; the fused luma itself where the sources in question are grey.
    """
    asked = sources if colour_from is None else sources[colour_from : colour_from + 1]
    chroma = merge_chroma([rgb_to_ycbcr(image)[1] if len(image) == 3 else None for image in asked])
    return fused if chroma is None else ycbcr_to_rgb(fused, fitted_chroma(fused, chroma)).clamp(0, 1)
