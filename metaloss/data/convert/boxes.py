"""Boxes of any kind to YOLO's plain lines, ``class x_centre y_centre width height`` in parts of the image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from metaloss.data.boxes import cut_boxes
from metaloss.data.convert.classes import Plan
from metaloss.data.convert.outcome import Outcome
from metaloss.data.convert.shapes import Drawing, objects
from metaloss.data.convert.sizes import Size, known_size
from metaloss.data.convert.writing import write_lines
from metaloss.runtime.progress_bar import progress_bar

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True)
class Boxes:
    """The boxes of one image.

    Attributes:
        file: where they are written, for messages.
        stem: of the image.
        labels: per box the name of its class.
        boxes: in pixels, or in parts of the image.
        normalised: whether in parts of the image.
        size: (H, W) of the image as the file says, or ``None``.
        left_out: how many entries of the file are no boxes, by the reason.
    """

    file: Path
    stem: str
    labels: tuple[str, ...]
    boxes: tuple[Box, ...]
    normalised: bool = False
    size: Size | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, drawing: Drawing) -> Boxes:
        """Puts boxes around the objects of a drawing."""
        found = objects(drawing)
        return cls(
            drawing.file,
            drawing.file.stem,
            tuple(label for label, _ in found),
            tuple(box for _, box in found),
            drawing.normalised,
            drawing.size,
            drawing.left_out,
        )


def write_boxes(images: Sequence[Boxes], sizes: Mapping[str, Size], plan: Plan, outcome: Outcome) -> None:
    """Writes a text of boxes for each image; it is empty for an image without any.

    Args:
        images: what was read.
        sizes: of the images, by stem, as far as they were looked at.
        plan: the classes.
        outcome: where it is counted; its folder is written into.

    Raises:
        DataError: the size of an image is unknown where boxes are in pixels.
    """
    known = [_size(image, sizes) for image in images]  # all errors come before the first file
    with progress_bar("writing", len(images)) as advance:
        for image, size in zip(images, known, strict=True):
            rows = kept_boxes(image, size, plan, outcome.left_out)
            write_lines(outcome.out / f"{image.stem}.txt", [_line(number, box) for number, box in rows])
            outcome.add_boxes(f"{image.stem}.txt", [number for number, _ in rows])
            advance(image.file.name)


def _size(image: Boxes, sizes: Mapping[str, Size]) -> Size | None:
    found = sizes.get(image.stem)
    return found if image.normalised and found is None else known_size(image.file, image.size, found)


def kept_boxes(image: Boxes, size: Size | None, plan: Plan, left_out: Counter[str]) -> list[tuple[int, Box]]:
    """Numbers the boxes of one image, and cuts them at its borders as :func:`metaloss.data.cut_boxes` does.

    Args:
        image: its boxes.
        size: (H, W); ``None`` where unknown, and boxes then are cut, but none is too thin.
        plan: the classes.
        left_out: counts what is not kept, by the reason.

    Returns:
        Per box its class id, and left, top, right, bottom in parts of the image.
    """
    left_out.update(image.left_out)
    rows: list[tuple[int, Box]] = []
    for label, box in zip(image.labels, image.boxes, strict=True):
        if label in plan.ids:
            rows.append((plan.ids[label], box))
        else:
            left_out[f"class {label}"] += 1
    height, width = size or (1, 1)
    boxes = torch.tensor([box for _, box in rows], dtype=torch.float64).reshape(-1, 4)
    labels = torch.tensor([number for number, _ in rows], dtype=torch.int64)
    if image.normalised:
        boxes = boxes * boxes.new_tensor([width, height] * 2)
    if size is None:
        boxes = boxes.clamp(0, 1)
        kept = ((boxes[:, 2:] - boxes[:, :2]) > 0).all(1)
        target = {"boxes": boxes[kept], "labels": labels[kept]}
        reason = "without area"
    else:
        target = cut_boxes({"boxes": boxes, "labels": labels}, size)
        reason = "mostly outside the image, or thinner than a pixel"
    left_out[reason] += len(rows) - len(target["labels"])
    parts = (target["boxes"] / boxes.new_tensor([width, height] * 2)).tolist()
    return [
        (number, (box[0], box[1], box[2], box[3])) for number, box in zip(target["labels"].tolist(), parts, strict=True)
    ]


def _line(number: int, box: Box) -> str:
    left, top, right, bottom = box
    values = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
    return " ".join([str(number), *(f"{value:.7g}" for value in values)])
