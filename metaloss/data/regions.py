"""Where in a scene the objects of each class are, from its labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from metaloss.data.ignored import IGNORED


class Region(NamedTuple):
    """The pixels of a class in a scene.

    Attributes:
        number: of the class.
        on: mask (H, W) of its pixels.
        off: mask (H, W) of all others, but for those that are of no class.
        task: the name of the task whose labels these are, where a target is a dict of several.
    """

    number: int
    on: Tensor
    off: Tensor
    task: str = ""


def regions_of(
    target: Any, scene: int, size: Sequence[int], ignore: int = 255, device: torch.device | None = None
) -> Iterator[Region]:
    """Gives the regions of the classes that a scene shows.

    Args:
        target: of a batch: class ids (B, H, W); or per scene a dict with ``boxes`` (N, 4) xyxy in pixels and
            ``labels`` (N,); or a dict of such targets by task, or anything else, which has no regions.
        scene: its number in the batch.
        size: H and W.
        ignore: a class id that stands for "no class", beside 255 and negative ones: neither on nor off.
        device: of the masks.
    """
    if isinstance(target, Mapping):
        for task, part in target.items():
            for region in regions_of(part, scene, size, ignore, device):
                yield region._replace(task=str(task))
        return
    if not isinstance(target, (Tensor, list, tuple)) or len(target) <= scene:
        return
    own = target[scene]
    if isinstance(own, Tensor) and own.shape == torch.Size(size) and not own.is_floating_point():
        ids = own.to(device)
        known = (ids != ignore) & (ids != IGNORED) & (ids >= 0)  # a data set may have written 255 for its own id
        for number in ids[known].unique().tolist():
            yield Region(number, ids == number, (ids != number) & known)
    elif isinstance(own, Mapping) and "boxes" in own and "labels" in own:
        for number in own["labels"].unique().tolist():
            on = torch.zeros(tuple(size), dtype=torch.bool, device=device)
            boxes = own["boxes"][own["labels"] == number]
            for left, top, right, bottom in boxes.round().clamp_min(0).int().tolist():  # some may lie outside
                on[top:bottom, left:right] = True
            yield Region(number, on, ~on)


def class_name(number: int, classes: Sequence[str]) -> str:
    """The name of a class, or its number where it has none."""
    return str(classes[number]) if 0 <= number < len(classes) else str(number)


def names_of_classes(dataset: Any) -> tuple[Sequence[str], int]:
    """What a data set calls its classes, nothing where it does not, and the id that stands for "no class".

    It is 255, which every data set of this library writes, for one that names several ids or none.
    """
    classes, ignore = getattr(dataset, "classes", ()), getattr(dataset, "ignore", IGNORED)
    return classes if isinstance(classes, (list, tuple)) else (), ignore if isinstance(ignore, int) else IGNORED
