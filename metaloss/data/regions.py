"""Where in a scene the objects of each class are, from its labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Region(NamedTuple):
    """The pixels of a class in a scene.

    Attributes:
        number: of the class.
        on: mask (H, W) of its pixels.
        off: mask (H, W) of all others, but for those that are of no class.
    """

    number: int
    on: Tensor
    off: Tensor


def regions_of(
    target: Any, scene: int, size: Sequence[int], ignore: int = 255, device: torch.device | None = None
) -> Iterator[Region]:
    """Gives the regions of the classes that a scene shows.

    Args:
        target: of a batch: class ids (B, H, W); or per scene a dict with ``boxes`` (N, 4) xyxy in pixels and
            ``labels`` (N,); or a dict of such targets by task, or anything else, which has no regions.
        scene: its number in the batch.
        size: H and W.
        ignore: the class id that stands for "no class": neither on nor off.
        device: of the masks.
    """
    if isinstance(target, Mapping):
        for part in target.values():
            yield from regions_of(part, scene, size, ignore, device)
        return
    if not isinstance(target, (Tensor, list, tuple)) or len(target) <= scene:
        return
    own = target[scene]
    if isinstance(own, Tensor) and own.shape == torch.Size(size) and not own.is_floating_point():
        ids = own.to(device)
        for number in ids.unique().tolist():
            if number != ignore:
                yield Region(number, ids == number, (ids != number) & (ids != ignore))
    elif isinstance(own, Mapping) and "boxes" in own and "labels" in own:
        for number in own["labels"].unique().tolist():
            on = torch.zeros(tuple(size), dtype=torch.bool, device=device)
            for left, top, right, bottom in own["boxes"][own["labels"] == number].round().int().tolist():
                on[max(top, 0) : bottom, max(left, 0) : right] = True
            yield Region(number, on, ~on)


def class_name(number: int, classes: Sequence[str]) -> str:
    """The name of a class, or its number where it has none."""
    return str(classes[number]) if 0 <= number < len(classes) else str(number)


def names_of_classes(dataset: Any) -> tuple[Sequence[str], int]:
    """What a data set calls its classes, nothing where it does not, and the id that stands for "no class"."""
    classes = getattr(dataset, "classes", ())
    return classes if isinstance(classes, (list, tuple)) else (), getattr(dataset, "ignore", 255)
