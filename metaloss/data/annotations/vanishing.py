"""Which boxes vanish when they are cut at the borders of their image, and why most of them may have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from metaloss.data.boxes import SMALLEST_PART, SMALLEST_SIDE

Box = tuple[float, float, float, float]
Form = Literal["corners", "sides", "centre"]
_FAR = 0.05  # of the image's side: nobody draws a box that far over the border


@dataclass(frozen=True)
class Fate:
    """What becomes of boxes.

    Attributes:
        boxes: how many there are.
        outside: of these, how many have less than a quarter of their area inside of their image.
        thin: of the others, how many are less than a pixel wide or high inside of it.
        as_corners: how many vanish or reach far over the border, and would be right if the file's numbers were corners,
            which they are not meant to be.
        small: of those that stay, how many are less than a pixel wide or high once the image has the task's size.
    """

    boxes: int = 0
    outside: int = 0
    thin: int = 0
    as_corners: int = 0
    small: int = 0

    @property
    def vanished(self) -> int:
        """How many are not in the items."""
        return self.outside + self.thin

    def __add__(self, other: Fate) -> Fate:
        """Of both together."""
        return Fate(
            self.boxes + other.boxes,
            self.outside + other.outside,
            self.thin + other.thin,
            self.as_corners + other.as_corners,
            self.small + other.small,
        )

    def __str__(self) -> str:
        """In words: how many of how many vanish, and why."""
        parts = [f"{self.outside} outside of the image"] * (self.outside > 0)
        parts += [f"{self.thin} less than a pixel wide or high"] * (self.thin > 0)
        verb = "vanishes" if self.vanished == 1 else "vanish"
        return f"{self.vanished} of {self.boxes} box{'es' * (self.boxes != 1)} {verb} ({', '.join(parts)})"


def fate_of(
    boxes: Sequence[Box], size: tuple[int, int], form: Form = "corners", task_size: tuple[int, int] | None = None
) -> Fate:
    """Says which boxes vanish, by the rule of :func:`metaloss.data.cut_boxes`.

    Args:
        boxes: left, top, right, bottom in pixels.
        size: (W, H) of the image.
        form: what the file's four numbers are meant to be: ``"corners"``, left, top, width and height (``"sides"``), or
            the middle, width and height (``"centre"``).
        task_size: (W, H) that the image is resized to for the task, or ``None``.
    """
    inside = [_inside(box, size) for box in boxes]
    outside = [share < SMALLEST_PART for _, share in inside]
    thin = [min(sides) < SMALLEST_SIDE and not out for (sides, _), out in zip(inside, outside, strict=True)]
    stay = [sides for (sides, _), gone, out in zip(inside, thin, outside, strict=True) if not gone and not out]
    factors = (1.0, 1.0) if task_size is None else (task_size[0] / size[0], task_size[1] / size[1])
    small = sum(min(sides[0] * factors[0], sides[1] * factors[1]) < SMALLEST_SIDE for sides in stay)
    far = [out or _is_far(box, size) for box, out in zip(boxes, outside, strict=True)]
    right = form != "corners" and any(far) and _fit((as_written(box, form) for box in boxes), size)
    return Fate(len(boxes), sum(outside), sum(thin), sum(far) if right else 0, small)


def reason_of(fate: Fate, boxes: Sequence[Box], size: tuple[int, int], form: Form = "corners") -> str:
    """Says what is wrong with a file of which most boxes vanish, or would be right as corners.

    Args:
        fate: what becomes of them.
        boxes: as for :func:`fate_of`, which says what the others are.
        size: (W, H) of the image.
        form: what the file's numbers are meant to be.

    Returns:
        How many vanish, and a guess why. Nothing where most do not; nor for one box alone that is too thin, or reaches
        over the border: an accident.
    """
    parts = form != "centre" and all(max(map(abs, box)) <= 1 for box in boxes)
    alone = fate.boxes == 1 and not parts
    if 2 * fate.vanished > fate.boxes and not (alone and fate.thin):
        return f"{fate}: {'parts of the image (0..1), and pixels are expected' if parts else _guess(boxes, size, form)}"
    if 2 * fate.as_corners > fate.boxes and not alone:
        return f"{fate.as_corners} of {fate.boxes} boxes reach over the image's border: {corners_instead_of(form)}"
    return ""


def corners_instead_of(form: Form) -> str:
    """What is said of corners where other numbers are expected."""
    expected = "left, top, width, height" if form == "sides" else "x_centre, y_centre, width, height"
    return f"the numbers look like corners (left, top, right, bottom); expected {expected}"


def as_written(box: Box, form: Form) -> Box:
    """The four numbers that a file of a form has for a box of corners."""
    left, top, right, bottom = box
    if form == "sides":
        return left, top, right - left, bottom - top
    return box if form == "corners" else ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)


def _inside(box: Box, size: tuple[int, int]) -> tuple[tuple[float, float], float]:
    """Width and height of what lies inside, and its share of the box; a line inside has all of its area there."""
    left, right = (min(max(value, 0), size[0]) for value in box[::2])
    top, bottom = (min(max(value, 0), size[1]) for value in box[1::2])
    if box[2] < 0 or box[3] < 0 or box[0] >= size[0] or box[1] >= size[1]:
        return (0.0, 0.0), 0.0
    area = (box[2] - box[0]) * (box[3] - box[1])
    return (right - left, bottom - top), (right - left) * (bottom - top) / area if area > 0 else 1.0


def _is_far(box: Box, size: tuple[int, int]) -> bool:
    x, y = _FAR * size[0], _FAR * size[1]
    return box[0] < -x or box[1] < -y or box[2] > size[0] + x or box[3] > size[1] + y


def _guess(boxes: Sequence[Box], size: tuple[int, int], form: Form) -> str:
    whole = f"{size[0]}x{size[1]} (width x height)"
    if form != "corners" and _fit((as_written(box, form) for box in boxes), size):
        return corners_instead_of(form)
    if _fit(((top, left, bottom, right) for left, top, right, bottom in boxes), size):
        return f"the numbers look like y before x in an image of {whole}"
    right, bottom = (max(box[place] for box in boxes) for place in (2, 3))
    if min(min(box[:2]) for box in boxes) >= 0 and (right > size[0] or bottom > size[1]):
        return f"they reach to x={right:g}, y={bottom:g} in an image of {whole}: written for a larger one?"
    return f"expected boxes inside of the image of {whole}, of a pixel or more: leave out what is none"


def _fit(boxes: Iterable[Box], size: tuple[int, int]) -> bool:
    """Whether all are boxes inside of the image, to a pixel."""
    return all(
        left >= -1
        and top >= -1
        and left + SMALLEST_SIDE <= right <= size[0] + 1
        and top + SMALLEST_SIDE <= bottom <= size[1] + 1
        for left, top, right, bottom in boxes
    )
