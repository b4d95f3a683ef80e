"""Labels of a batch, checked before a framework sees them: it would index with them, or take one for background."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

import torch
from torch import Tensor

from metaloss.errors import DataError, ShapeError


def check_class_ids(target: Any, fused: Tensor, num_classes: int, *, ignore: int = 255) -> Tensor:
    """Checks a batch's class ids of every pixel; for authors of segmentation tasks. It waits for a device once.

    Args:
        target: class ids (B, H, W), int64.
        fused: the images that they belong to, of shape (B, C, H, W).
        num_classes: ids reach from 0 to one below.
        ignore: the id that stands for "no class".

    Returns:
        The target.

    Raises:
        ShapeError: another form; what was given is said.
        DataError: an id that is no class; it is named, with its image's place in the batch.
    """
    expected = "expected class ids (B, H, W), int64"
    if not isinstance(target, Tensor) or target.shape != (len(fused), *fused.shape[-2:]):
        raise ShapeError(f"segmentation target {_form(target)} with fused images {tuple(fused.shape)}: {expected}")
    if target.dtype != torch.int64:
        cure = "find out where they come from" if _not_finite(target) else "give target.long()"
        raise ShapeError(f"segmentation target {target.dtype}{_not_finite(target)}: {expected}; {cure}")
    wrong = ((target < 0) | (target >= num_classes)) & (target != ignore)
    if wrong.any():
        image, ids = first_image(target, wrong)
        raise DataError(
            f"segmentation target of image {image} in the batch: class id {ids} is outside {_range(num_classes)} "
            f"and is not the ignored id {ignore}: correct the label, or build the task with a num_classes that holds it"
        )
    return target


def check_class_numbers(target: Any, images: Sized, num_classes: int) -> Tensor:
    """Checks a batch's class numbers of whole images; for authors of classification tasks. It waits for a device once.

    Args:
        target: class numbers (B,), int64.
        images: what they belong to, B of them.
        num_classes: numbers reach from 0 to one below.

    Returns:
        The target.

    Raises:
        ShapeError: another form; what was given is said.
        DataError: a number that is no class; it is named, with its image's place in the batch.
    """
    if not isinstance(target, Tensor) or target.shape != (len(images),) or target.dtype != torch.int64:
        raise ShapeError(
            f"classification target {_form(target)} with {len(images)} images: expected class numbers (B,), int64"
        )
    wrong = (target < 0) | (target >= num_classes)
    if wrong.any():
        image, numbers = first_image(target, wrong)
        raise DataError(
            f"classification target of image {image} in the batch: class number {numbers} is outside "
            f"{_range(num_classes)}: correct the label, or build the task with a num_classes that holds it"
        )
    return target


def check_boxes(boxes: list[Tensor], labels: list[Tensor], num_classes: int | None) -> None:
    """Checks the values of a batch's boxes and their labels, whose form is right. It waits for a device once.

    Args:
        boxes: per image (N, 4), xyxy in pixels.
        labels: per image (N,), int64.
        num_classes: labels reach from 0 to one below; ``None`` when unknown.

    Raises:
        DataError: a label that is no class, or a box that is not finite or has no area; it is named, with its image's
            place in the batch.
    """
    if not boxes:
        return
    device = boxes[0].device
    corners, numbers = (torch.cat([part.detach().to(device) for part in parts]) for parts in (boxes, labels))
    flat = ~corners.isfinite().all(1) | (corners[:, 2:] <= corners[:, :2]).any(1)
    strange = numbers < 0 if num_classes is None else (numbers < 0) | (numbers >= num_classes)
    if not (flat | strange).any():
        return
    first = int((flat | strange).nonzero()[0])
    image = int((torch.tensor([len(part) for part in labels]).cumsum(0) <= first).sum())
    where = f"detection target of image {image} in the batch"
    if strange[first]:
        known = "must not be negative" if num_classes is None else f"is outside {_range(num_classes)}"
        raise DataError(
            f"{where}: label {int(numbers[first])} {known}: labels count from 0; correct the label, or build the task "
            "with a num_classes that holds it"
        )
    raise DataError(
        f"{where}: box {[round(value, 4) for value in corners[first].tolist()]} is not finite or has no area: expected "
        "xyxy in pixels, x1 < x2 and y1 < y2; leave such boxes out"
    )


def first_image(target: Tensor, wrong: Tensor) -> tuple[int, str]:
    """Names what is wrong in the first image of a batch that has something wrong.

    Args:
        target: of shape (B, ...).
        wrong: where, of the same shape; somewhere at least.

    Returns:
        The image's place in the batch, and up to three of its wrong values.
    """
    image = int(wrong.reshape(len(wrong), -1).any(1).nonzero()[0])
    values = sorted(set(target[image][wrong[image]].tolist()))
    return image, ", ".join(map(str, values[:3])) + (" ..." if len(values) > 3 else "")


def _form(target: Any) -> str:
    return (
        f"{tuple(target.shape)} {target.dtype}{_not_finite(target)}"
        if isinstance(target, Tensor)
        else type(target).__name__
    )


def _range(num_classes: int) -> str:
    return f"0..{num_classes - 1} ({num_classes} class{'es' if num_classes > 1 else ''})"


def _not_finite(target: Tensor) -> str:
    return " with values that are not finite" if target.is_floating_point() and not target.isfinite().all() else ""
