"""Several metrics side by side."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from metaloss.colour import luma
from metaloss.data.reading import Reading
from metaloss.errors import DataError
from metaloss.metrics.arrays import image_tensor
from metaloss.metrics.conventions import Convention, get_convention
from metaloss.metrics.files import all_paired
from metaloss.metrics.images import check_number, check_range, split
from metaloss.metrics.registry import MetricInfo, select

ImageBatch: TypeAlias = Tensor | NDArray[Any] | str | os.PathLike[str]


def evaluate(
    fused: ImageBatch,
    sources: Sequence[ImageBatch],
    *,
    convention: str = "tdfusion",
    metrics: Iterable[str] | None = None,
    lpips: nn.Module | None = None,
) -> dict[str, Tensor]:
    """Measures fused images with several metrics, which share what they can.

    Args:
        fused: the fused images, 0-255, in one of three forms: a tensor of shape (B, 1, H, W), or (B, 3, H, W) by a
            convention that measures colour; an array of shape (H, W) or (H, W, 3), or a batch of such; or a folder, a
            pattern (``"fused/*.png"``) or a file.
        sources: n >= 2 of the same form and size, paired by stem in folders. Grey and colour may be mixed where
            colour is measured; elsewhere arrays and files in colour are measured by their luma, rounded, and tensors
            in colour are refused: whether a luma is to be rounded is for whoever computes with tensors to say.
        convention: one of :data:`~metaloss.metrics.CONVENTIONS`.
        metrics: short names from :data:`~metaloss.metrics.METRICS`; by default all that are not
            optional, of which those that are not defined for images this small (VIF below 41 pixels,
            MS-SSIM below 176) are NaN. Asked for by name, they raise.
        lpips: the network from :func:`~metaloss.metrics.load_lpips`, for LPIPS.

    Returns:
        By short name, one value per image: tensors of shape (B,); of a folder in the order of the images' names.

    Raises:
        ConfigError: an unknown convention or metric, or LPIPS without its network.
        DataError: values outside 0-255, or an image that is missing, unreadable or of another size.
        ShapeError: another shape, images too small for a metric that was named, or fewer than two sources.

    Examples:
        >>> import torch
        >>> from metaloss.metrics import evaluate
        >>> ir, vi = torch.randint(256, (2, 3, 1, 64, 64)).float()
        >>> values = evaluate(vi, (ir, vi), metrics=["EN", "Qabf", "SSIM"])
        >>> {name: tuple(each.shape) for name, each in values.items()}  # one value per image
        {'EN': (3,), 'Qabf': (3,), 'SSIM': (3,)}
    """
    check_number(sources)
    rules = get_convention(convention)
    names = None if metrics is None else list(metrics)
    chosen = select(names, network=lpips is not None)
    images = (fused, *sources)
    places = [image for image in images if isinstance(image, (str, os.PathLike))]
    if not places:
        tensors = _tensors(images, rules)
        return _measure(tensors[0], tensors[1:], chosen, rules, lpips, drop_small=names is None)
    if len(places) < len(images):
        raise DataError(f"{places[0]} is a path: give the fused images and all sources as paths, or none")
    values: dict[str, list[Tensor]] = {info.name: [] for info in chosen}
    for pair in all_paired(places[0], places[1:]):
        opened, its_sources = pair.read([Reading()] * len(images), rules.colour)
        measured = _measure(opened, its_sources, chosen, rules, lpips, drop_small=names is None)
        for name, value in measured.items():
            values[name].append(value)
    return {name: torch.cat(parts) for name, parts in values.items()}


def _measure(
    fused: Tensor,
    sources: Sequence[Tensor],
    chosen: Sequence[MetricInfo],
    rules: Convention,
    lpips: nn.Module | None,
    *,
    drop_small: bool,
) -> dict[str, Tensor]:
    values: dict[str, list[Tensor]] = {info.name: [] for info in chosen}
    for images in split(fused, sources, colour=rules.colour):
        side = min(images.stack.shape[-2:])
        for info in chosen:
            if drop_small and side < info.min_side:
                value = images.stack.new_full((images.stack.shape[1] // images.bands,), torch.nan)
            else:
                value = info.measure(images, rules, **({"network": lpips} if info.needs_network else {}))
            values[info.name].append(value)
    return {name: torch.cat(parts) for name, parts in values.items()}


def _tensors(images: Sequence[Any], rules: Convention) -> list[Tensor]:
    """Tensors as they are; arrays as tensors, in luma where the convention measures it."""
    names = ["fused", *(f"source {number}" for number in range(len(images) - 1))]
    tensors = []
    for name, image in zip(names, images, strict=True):
        if not isinstance(image, np.ndarray):
            tensors.append(image)
            continue
        tensor = image_tensor(name, image)
        if rules.colour == "luma" and tensor.shape[1] == 3:
            # Once rounded, an image in [0, 1] could not be told from a dark one.
            check_range(tensor, name, dark=name == "fused")
            dtype = torch.float64 if tensor.dtype == torch.float64 else torch.float32
            # In [0, 1] and float32, as files are read: halves are rounded the same way.
            tensor = (luma(tensor.float() / 255) * 255).round().to(dtype)
        tensors.append(tensor)
    return tensors
