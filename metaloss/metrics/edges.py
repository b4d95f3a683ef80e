"""Derivative filters of 3x3 pixels."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

Border = Literal["zeros", "symmetric", "mirrored"]

_PAD_MODES = {"zeros": "constant", "symmetric": "replicate", "mirrored": "reflect"}


def derivatives(images: Tensor, border: Border, *, centre: float = 2.0) -> tuple[Tensor, Tensor]:
    """Filters images with Sobel's kernels, or Prewitt's.

    Args:
        images: of shape (N, B, H, W), at least 2x2 pixels where the border is mirrored.
        border: what lies outside the image: ``"zeros"``, its border pixels once more (``"symmetric"``), or
            the pixels next to them (``"mirrored"``).
        centre: the weight of the middle row or column: 2 for Sobel, 1 for Prewitt.

    Returns:
        Horizontal and vertical derivatives (left minus right, bottom minus top), each of shape (N, B, H, W).
    """
    padded = F.pad(images, (1, 1, 1, 1), mode=_PAD_MODES[border])
    # Left minus right and bottom minus top: Qabf's angles without wrap depend on these signs.
    across, down = padded[..., :-2] - padded[..., 2:], padded[..., 2:, :] - padded[..., :-2, :]
    horizontal = across[..., :-2, :] + across[..., 2:, :] + centre * across[..., 1:-1, :]
    vertical = down[..., :-2] + down[..., 2:] + centre * down[..., 1:-1]
    return horizontal, vertical
