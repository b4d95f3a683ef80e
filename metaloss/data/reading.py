"""A source's file as the networks take it: luma, and colour apart."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from metaloss.colour import rgb_to_ycbcr
from metaloss.data.images import read_image


def read_source(path: Path) -> tuple[Tensor, Tensor | None]:
    """Reads a source's image.

    Args:
        path: of the file.

    Returns:
        Luma (1, H, W), float32 in [0, 1], and CbCr (2, H, W) in [-0.5, 0.5], or ``None`` where the image is grey.

    Raises:
        DataError: the file cannot be read.
    """
    image = read_image(path)
    if image.shape[0] == 1:
        return image, None
    luma, chroma = rgb_to_ycbcr(image)
    return luma.clamp(0, 1), chroma
