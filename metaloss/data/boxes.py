"""Boxes of detection targets, and how they follow their image.

A target is a dict of ``boxes`` (N, 4), float xyxy in pixels of the image, and ``labels`` (N,), int64;
N may be 0. Coordinates are continuous: the first pixel reaches from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from metaloss.data.labels import check_boxes
from metaloss.errors import ShapeError

Target = Mapping[str, Any]
SMALLEST_SIDE = 1.0  # pixels; what is thinner cannot be seen
SMALLEST_PART = 0.25  # of the area of a box before it was cut, as for what covers an object of a synthetic scene


def resize_boxes(target: Target, old: tuple[int, int], new: tuple[int, int]) -> dict[str, Any]:
    """Moves boxes along with an image that is resized.

    Args:
        target: ``boxes`` and ``labels``.
        old: (H, W) before.
        new: (H, W) after.

    Returns:
        A new target, without the boxes that became thinner than a pixel.
    """
    factor = target["boxes"].new_tensor([new[1] / old[1], new[0] / old[0]] * 2)
    return cut_boxes({**target, "boxes": target["boxes"] * factor}, new)


def crop_boxes(target: Target, top: int, left: int, size: tuple[int, int]) -> dict[str, Any]:
    """Moves boxes along with an image that is cropped.

    Args:
        target: ``boxes`` and ``labels``.
        top: the crop's first row.
        left: its first column.
        size: (h, w) of the crop.

    Returns:
        A new target; see :func:`cut_boxes` for those that reach over the border.
    """
    shift = target["boxes"].new_tensor([left, top] * 2)
    return cut_boxes({**target, "boxes": target["boxes"] - shift}, size)


def flip_boxes(target: Target, width: int) -> dict[str, Any]:
    """Moves boxes along with an image that is mirrored left to right.

    Args:
        target: ``boxes`` and ``labels``.
        width: of the image.

    Returns:
        A new target.
    """
    left, top, right, bottom = target["boxes"].unbind(-1)
    return {**target, "boxes": torch.stack([width - right, top, width - left, bottom], -1)}


def cut_boxes(target: Target, size: tuple[int, int]) -> dict[str, Any]:
    """Cuts boxes at the borders of their image, and drops those of which too little is left.

    A box stays when at least a quarter of its area lies inside, and what lies inside is at least one
    pixel wide and high.

    Args:
        target: ``boxes`` and ``labels``, and perhaps more with one entry per box.
        size: (H, W) of the image.

    Returns:
        A new target.
    """
    boxes: Tensor = target["boxes"]
    limits = boxes.new_tensor([size[1], size[0]] * 2)
    inside = torch.minimum(boxes.clamp_min(0), limits)
    sides = inside[:, 2:] - inside[:, :2]
    whole = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    kept = (sides >= SMALLEST_SIDE).all(-1) & (sides.prod(-1) >= SMALLEST_PART * whole)
    return {name: (inside if name == "boxes" else value)[kept] for name, value in target.items()}


def check_detections(targets: Any, count: int, num_classes: int | None = None) -> Sequence[Target]:
    """Checks that a batch's detection targets have their one form and hold known classes; for authors of tasks.

    Args:
        targets: one target for each image.
        count: B, how many images there are.
        num_classes: labels reach from 0 to one below; not checked upwards unless given.

    Returns:
        The targets.

    Raises:
        ShapeError: they have another form; what was given is said.
        DataError: a label that is no class, or a box that is not finite or has no area.
    """
    expected = f"expected a list of {count} dicts: boxes (N, 4) float xyxy in pixels, labels (N,) int64"
    if not isinstance(targets, Sequence) or len(targets) != count:
        given = f"{len(targets)} entries" if isinstance(targets, (Sequence, Tensor)) else type(targets).__name__
        raise ShapeError(f"detection targets: {given} with {count} fused images; {expected}")
    for number, target in enumerate(targets):
        if not isinstance(target, Mapping) or not {"boxes", "labels"} <= target.keys():
            given = f"a dict of {sorted(target)}" if isinstance(target, Mapping) else type(target).__name__
            raise ShapeError(f"detection target {number}: {given}; {expected}")
        boxes, labels = target["boxes"], target["labels"]
        if not isinstance(boxes, Tensor) or not isinstance(labels, Tensor):
            given = f"boxes {type(boxes).__name__}, labels {type(labels).__name__}"
            raise ShapeError(f"detection target {number}: {given}; {expected}")
        if boxes.ndim != 2 or boxes.shape[-1] != 4 or labels.shape != boxes.shape[:1]:
            raise ShapeError(
                f"detection target {number}: boxes {tuple(boxes.shape)}, labels {tuple(labels.shape)}; {expected}"
            )
        if not boxes.is_floating_point() or labels.dtype != torch.int64:
            raise ShapeError(f"detection target {number}: boxes {boxes.dtype}, labels {labels.dtype}; {expected}")
    check_boxes([target["boxes"] for target in targets], [target["labels"] for target in targets], num_classes)
    return targets
