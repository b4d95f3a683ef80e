"""How far the loss weights lie apart: their standard deviation over pixels, in the whole and by class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from metaloss.evaluation.regions import weights_by_region, without_tasks
from metaloss.training.epoch import Means

_MEAN, _SQUARE = "mean/", "square/"


def add_moments(
    means: Means, weights: Tensor, target: Any, sources: Sequence[str], classes: Sequence[str] = (), ignore: int = 255
) -> None:
    """Adds a batch's weights and their squares, in float64, to means over pixels.

    Args:
        means: what :func:`deviations` reads, once those of all scenes and processes are in it.
        weights: of shape (B, n, H, W), of the sources in their own order.
        target: of the batch, see :func:`metaloss.data.regions.regions_of`.
        sources: n names.
        classes: by class id.
        ignore: the class id that stands for "no class".
    """
    device = "cpu" if weights.device.type == "mps" else weights.device  # which has no float64
    exact = weights.detach().to(device, torch.float64)
    for prefix, powers in ((_MEAN, exact), (_SQUARE, exact.square())):
        for name, values in zip(sources, powers.unbind(1), strict=True):
            means.add({f"{prefix}spread/{name.replace('/', '_')}": values.mean()}, values.numel())
        for name, mean, pixels in weights_by_region(powers, target, sources, classes, ignore):
            means.add({prefix + name: mean}, pixels)


def deviations(means: Mapping[str, float]) -> dict[str, float]:
    """Reads the standard deviations of the weights over pixels.

    Args:
        means: what :func:`add_moments` has gathered, read.

    Returns:
        ``spread/SOURCE`` over all pixels, and ``spread/SOURCE/on/CLASS`` and ``spread/SOURCE/off/CLASS`` where the
        labels have regions: those of the means ``weight/...``.
    """
    first, second = (
        without_tasks({name.removeprefix(part): value for name, value in means.items() if name.startswith(part)})
        for part in (_MEAN, _SQUARE)
    )
    return {
        name.replace("weight/", "spread/", 1): math.sqrt(max(second[name] - mean**2, 0.0))
        for name, mean in first.items()
    }
