"""The boxes of one image, as a file gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from metaloss.data.boxes import cut_boxes
from metaloss.errors import DataError, nearest


@dataclass(frozen=True)
class Annotation:
    """The boxes of one image.

    Attributes:
        file: where they are written, for messages.
        boxes: per box left, top, right, bottom; in pixels, or in parts of the image's width and height.
        labels: per box its class id.
        normalised: whether the boxes are in parts of the image.
        size: (H, W) of the image as the file says, or ``None``.
    """

    file: Path
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    labels: tuple[int, ...] = ()
    normalised: bool = False
    size: tuple[int, int] | None = None

    def target(self, size: tuple[int, int]) -> dict[str, Any]:
        """Makes the detection target of the image.

        Args:
            size: (H, W) of the image.

        Returns:
            ``boxes`` (N, 4) float32 xyxy in pixels, cut at the borders as :func:`metaloss.data.cut_boxes`
            does; ``labels`` (N,) int64.

        Raises:
            DataError: the file belongs to an image of another size.
        """
        if self.size is not None and self.size != size:
            raise DataError(
                f"{self.file}: written for an image of {self.size[1]}x{self.size[0]} pixels (width x height), and the "
                f"image has {size[1]}x{size[0]}: label the image that is there, or resize it back"
            )
        boxes = torch.tensor(self.boxes, dtype=torch.float32).reshape(-1, 4)
        if self.normalised:
            boxes = boxes * boxes.new_tensor([size[1], size[0]] * 2)
        return cut_boxes({"boxes": boxes, "labels": torch.tensor(self.labels, dtype=torch.int64)}, size)


def class_number(name: str, classes: Sequence[str], where: str) -> int:
    """Finds a class by its name.

    Args:
        name: as the file has it.
        classes: the names in the order of their ids.
        where: file and place, for the message.

    Raises:
        DataError: no such class.
    """
    if name not in classes:
        raise DataError(
            f"{where}: class {name!r} is not among {', '.join(classes)}{nearest(name, classes)}; correct the label, or "
            "name all classes with classes="
        )
    return list(classes).index(name)
