"""Histograms of grey levels, and their entropies."""

from __future__ import annotations

import torch
from torch import Tensor

LEVELS = 256


def levels(images: Tensor) -> Tensor:
    """Rounds to whole grey levels, as int64 and without gradient."""
    return images.detach().round().to(torch.int64)


def frequencies(bins: Tensor, size: int) -> Tensor:
    """Counts the values of each map.

    Args:
        bins: of shape (..., H, W), int64, from 0 to below ``size``.
        size: how many values there are.

    Returns:
        Relative frequencies, of shape (..., size).
    """
    maps = bins.flatten(0, -3)
    first_bin = torch.arange(len(maps), device=bins.device).view(-1, 1, 1) * size
    counts = torch.bincount((maps + first_bin).flatten(), minlength=len(maps) * size)
    return counts.view(*bins.shape[:-2], size) / maps[0].numel()


def entropy_of(frequencies: Tensor, dtype: torch.dtype) -> Tensor:
    """The entropy of relative frequencies (..., n), of shape (...), in nats."""
    probabilities = frequencies.to(dtype)
    return -torch.xlogy(probabilities, probabilities).sum(-1)
