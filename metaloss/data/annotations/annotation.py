"""The boxes of one image, as a file gives them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from metaloss.data.annotations.vanishing import Box, Fate, Form, fate_of, reason_of
from metaloss.data.boxes import cut_boxes
from metaloss.data.class_choice import NO_CLASS, ClassChoice
from metaloss.errors import DataError


@dataclass(frozen=True)
class Annotation:
    """The boxes of one image.

    Attributes:
        file: where they are written, for messages.
        boxes: per box left, top, right, bottom; in pixels, or in parts of the image's width and height.
        labels: per box its class id.
        normalised: whether the boxes are in parts of the image.
        size: (H, W) of the image as the file says, or ``None``.
        place: which part of the file is the image's, where the file is one of several images.
        form: what the file's four numbers are: ``"corners"``, left, top, width and height (``"sides"``), or the middle,
            width and height (``"centre"``).
        left_out: the classes of boxes that do not count, a name or an id for each box.
    """

    file: Path
    boxes: tuple[Box, ...] = ()
    labels: tuple[int, ...] = ()
    normalised: bool = False
    size: tuple[int, int] | None = None
    place: str = ""
    form: Form = "corners"
    left_out: tuple[str, ...] = ()

    @classmethod
    def of_ids(cls, file: Path, found: Iterable[tuple[int, Box, str]], choice: ClassChoice, **more: Any) -> Annotation:
        """Makes the annotation of boxes whose classes a file has as ids.

        Args:
            file: where they are written.
            found: id, box and, for messages, file and place of each.
            choice: which of the classes count.
            more: further attributes.

        Raises:
            DataError: an id that is no class.
        """
        boxes, labels, left_out = [], [], []
        for label, box, where in found:
            known = choice.of_id(label, where)
            if known == NO_CLASS:
                left_out.append(choice.label(label))
            else:
                boxes.append(box)
                labels.append(known)
        return cls(file, tuple(boxes), tuple(labels), left_out=tuple(left_out), **more)

    @property
    def where(self) -> str:
        """The file, and the place in it."""
        return f"{self.file}, {self.place}" if self.place else f"{self.file}"

    def target(self, size: tuple[int, int]) -> dict[str, Any]:
        """Makes the detection target of the image.

        Args:
            size: (H, W) of the image.

        Returns:
            ``boxes`` (N, 4) float32 xyxy in pixels, cut at the borders as :func:`metaloss.data.cut_boxes`
            does; ``labels`` (N,) int64.

        Raises:
            DataError: the file belongs to an image of another size, or most of its boxes would vanish.
        """
        self.fate(size)
        boxes = torch.tensor(self.boxes, dtype=torch.float32).reshape(-1, 4)
        if self.normalised:
            boxes = boxes * boxes.new_tensor([size[1], size[0]] * 2)
        return cut_boxes({"boxes": boxes, "labels": torch.tensor(self.labels, dtype=torch.int64)}, size)

    def fate(self, size: tuple[int, int], task_size: tuple[int, int] | None = None) -> Fate:
        """Says which of the boxes vanish when they are cut at the image's borders.

        Args:
            size: (H, W) of the image.
            task_size: (H, W) that it is resized to for the task, or ``None``.

        Raises:
            DataError: the file belongs to an image of another size, or most of its boxes vanish; the cause is guessed.
        """
        if self.size is not None and self.size != size:
            raise DataError(
                f"{self.where}: written for an image of {self.size[1]}x{self.size[0]} pixels (width x height), and the "
                f"image has {size[1]}x{size[0]}: label the image that is there, or resize it back"
            )
        boxes, (height, width) = self.boxes, size
        if self.normalised:
            boxes = tuple((x1 * width, y1 * height, x2 * width, y2 * height) for x1, y1, x2, y2 in boxes)
        resized = None if task_size is None else (task_size[1], task_size[0])
        found = fate_of(boxes, (width, height), self.form, resized)
        reason = reason_of(found, boxes, (width, height), self.form)
        if reason:
            raise DataError(f"{self.where}: {reason}")
        return found
