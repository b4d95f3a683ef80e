"""Luma and chroma, BT.601 full range, in [0, 1]; zero chroma is grey."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114


def luma(rgb: Tensor) -> Tensor:
    """Weighs red, green and blue: Y = 0.299 R + 0.587 G + 0.114 B.

    Args:
        rgb: of shape (..., 3, H, W).

    Returns:
        Of shape (..., 1, H, W), in the range of the input.
    """
    red, green, blue = rgb.unbind(-3)
    return (_RED * red + _GREEN * green + _BLUE * blue).unsqueeze(-3)


def rgb_to_ycbcr(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Splits a colour image into luma and chroma.

    Args:
        rgb: of shape (..., 3, H, W), in [0, 1].

    Returns:
        Luma (..., 1, H, W) in [0, 1], and chroma CbCr (..., 2, H, W) in [-0.5, 0.5].
    """
    y = luma(rgb)
    blue = (rgb[..., 2:3, :, :] - y) / (2 * (1 - _BLUE))
    red = (rgb[..., 0:1, :, :] - y) / (2 * (1 - _RED))
    return y, torch.cat([blue, red], dim=-3)


def ycbcr_to_rgb(y: Tensor, chroma: Tensor) -> Tensor:
    """Puts luma and chroma together again; the inverse of :func:`rgb_to_ycbcr`.

    Args:
        y: luma of shape (..., 1, H, W), in [0, 1].
        chroma: CbCr of shape (..., 2, H, W), in [-0.5, 0.5].

    Returns:
        Of shape (..., 3, H, W); not clamped, so that gradients pass everywhere.
    """
    blue = y + 2 * (1 - _BLUE) * chroma[..., 0:1, :, :]
    red = y + 2 * (1 - _RED) * chroma[..., 1:2, :, :]
    green = (y - _RED * red - _BLUE * blue) / _GREEN
    return torch.cat([red, green, blue], dim=-3)


def fitted_chroma(y: Tensor, chroma: Tensor) -> Tensor:
    """Pales colours that red, green and blue cannot show at a new luma, as little as is needed.

    Hue and luma stay; cutting the channels off at 0 and 1 would change both, where a bright source
    meets a strong colour.

    Args:
        y: luma of shape (..., 1, H, W), in [0, 1].
        chroma: CbCr of shape (..., 2, H, W), in [-0.5, 0.5].

    Returns:
        CbCr of the same shape; the same where the colour can be shown.
    """
    away = ycbcr_to_rgb(torch.zeros_like(y), chroma)
    room = torch.where(away > 0, 1 - y, y)
    share = torch.where(away.abs() > room, room / away.abs(), torch.ones_like(away))
    return chroma * share.amin(dim=-3, keepdim=True)


def merge_chroma(chromas: Sequence[Tensor | None]) -> Tensor | None:
    """Merges the sources' chroma into the fused image's.

    One coloured source gives its own CbCr; several are averaged with weights that grow with
    their distance from neutral grey, |Cb| and |Cr| each for itself (the papers' rule).

    Args:
        chromas: per source (..., 2, H, W) in [-0.5, 0.5], or ``None`` for a grey source.

    Returns:
        Of the same shape, or ``None`` when every source is grey.
    """
    coloured = [chroma for chroma in chromas if chroma is not None]
    if not coloured:
        return None
    if len(coloured) == 1:
        return coloured[0]
    stacked = torch.stack(coloured)
    distance = stacked.abs()
    total = distance.sum(0)
    weighted = (stacked * distance).sum(0) / total.clamp_min(torch.finfo(stacked.dtype).tiny)
    return torch.where(total > 0, weighted, torch.zeros_like(weighted))
