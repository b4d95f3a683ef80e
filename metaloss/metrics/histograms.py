"""Histograms of grey levels, alone and joint, and their entropies."""

from __future__ import annotations

import torch
from torch import Tensor

from metaloss.metrics.images import Images

LEVELS = 256


def levels(images: Tensor) -> Tensor:
    """Rounds to whole grey levels, as int64 and without gradient."""
    return images.detach().round().to(torch.int64)


def frequencies(bins: Tensor, size: int, dtype: torch.dtype) -> Tensor:
    """Counts the values of each map.

    Args:
        bins: of shape (..., H, W), int64, from 0 to below ``size``.
        size: how many values there are.
        dtype: of the result.

    Returns:
        Relative frequencies, of shape (..., size).
    """
    maps = bins.flatten(0, -3)
    first_bin = torch.arange(len(maps), device=bins.device).view(-1, 1, 1) * size
    counts = torch.bincount((maps + first_bin).flatten(), minlength=len(maps) * size)
    return counts.view(*bins.shape[:-2], size).to(dtype) / maps[0].numel()


def alone(images: Images, *, stretch: bool) -> Tensor:
    """Relative frequencies of the grey levels of each image.

    Args:
        images: the checked images.
        stretch: take the stretched images.

    Returns:
        Of shape (1 + n, B, 256).
    """
    return frequencies(levels(_chosen(images, stretch)), LEVELS, images.stack.dtype)


def joint(images: Images, first: int, second: int, *, stretch: bool, top: int) -> Tensor:
    """Relative frequencies of the pairs of grey levels in two of the images.

    Args:
        images: the checked images.
        first: the place in ``images.stack`` of the image whose level is the row.
        second: that of the column.
        stretch: take the stretched images.
        top: levels above count as this one.

    Returns:
        Of shape (B, 256, 256).
    """
    row, column = (levels(_chosen(images, stretch)[place]).clamp_max(top) for place in (first, second))
    return frequencies(row * LEVELS + column, LEVELS**2, images.stack.dtype).view(-1, LEVELS, LEVELS)


def joint_with_fused(images: Images, *, stretch: bool, top: int) -> Tensor:
    """Joint frequencies of each source (rows) with the fused image (columns).

    Args:
        images: the checked images.
        stretch: take the stretched images.
        top: levels above count as this one.

    Returns:
        Of shape (n, B, 256, 256).
    """
    places = range(1, len(images.stack))
    return torch.stack([joint(images, place, 0, stretch=stretch, top=top) for place in places])


def entropy_of(frequencies: Tensor) -> Tensor:
    """The entropy of relative frequencies (..., n), of shape (...), in nats."""
    return -torch.xlogy(frequencies, frequencies).sum(-1)


def _chosen(images: Images, stretch: bool) -> Tensor:
    return images.stretched if stretch else images.stack
