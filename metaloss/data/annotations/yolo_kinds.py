"""What a line of YOLO's labels is: a box, a polygon, a turned box, a box with keypoints, a prediction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Form = Literal["box", "polygon", "keypoints", "either"]
"""What one line is; ``"either"`` a polygon or a box with keypoints, as far as its own numbers tell."""

TOLERANCE = 1e-3  # files are written with a few digits
_LOOSE = 0.1  # how far a box may reach over the border
_BOX = 5  # class, middle, width and height
_CORNERS = 9  # class and four corners


def kind_of(words: Sequence[str]) -> str:
    """Says what a line that is no plain box looks like.

    Args:
        words: of the line.

    Returns:
        ``", a box with keypoints by the look of it: `metaloss data convert` ..."``, or nothing.
    """
    try:
        values = [float(word) for word in words]
    except ValueError:
        return " with commas between: write blanks" if "," in words[0] else _named_corners(words)
    count = len(values)
    if count == _BOX + 1:
        return ", a prediction with its confidence by the look of it, and no label: leave the last value out"
    form = form_of(values[1:]) or ("polygon" if count > _BOX and count % 2 else None)
    if form in (None, "box"):
        return ""
    polygon = (
        "a turned box (OBB) or a polygon of four points" if count == _CORNERS else f"a polygon of {count // 2} points"
    )
    looks = " or ".join([polygon] * (form != "keypoints") + ["a box with keypoints"] * (form != "polygon"))
    return f", {looks} by the look of it: `metaloss data convert` makes boxes of them"


def _named_corners(words: Sequence[str]) -> str:
    """DOTA's own files: eight numbers, a name, and whether it is difficult."""
    try:
        [float(word) for word in words[:8]]
    except ValueError:
        return ""
    return ", a turned box (OBB) of DOTA by the look of it" if len(words) in (9, 10) else ""


def form_of(values: Sequence[float]) -> Form | None:
    """Says what the numbers behind the class of a line can be.

    Args:
        values: the numbers.

    Returns:
        ``None`` where they can be nothing.
    """
    if len(values) == 4:
        return "box" if _inside(values) and min(values[2:]) >= 0 else None
    polygon = len(values) >= 6 and len(values) % 2 == 0 and _inside(values)
    if len(values) <= 4 or not _has_keypoints(values):
        return "polygon" if polygon else None
    return ("polygon" if _is_turned_box(values) else "either") if polygon else "keypoints"


def _inside(values: Iterable[float]) -> bool:
    return all(-TOLERANCE <= value <= 1 + TOLERANCE for value in values)


def _has_keypoints(values: Sequence[float]) -> bool:
    """Whether these can be a box in the image, and keypoints most of which lie in or about it."""
    x, y, width, height, *rest = values
    edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    if min(width, height) <= 0 or not all(-_LOOSE <= edge <= 1 + _LOOSE for edge in edges):
        return False
    points: NDArray[np.float64] = np.empty((0, 2))
    if len(rest) % 3 == 0 and all(flag in (0, 1, 2) for flag in rest[2::3]):
        points = np.array(rest).reshape(-1, 3)[:, :2]
    elif len(rest) % 2 == 0:
        points = np.array(rest).reshape(-1, 2)
    if not len(points) or not np.isfinite(points).all():
        return False
    about = (np.abs(points - (x, y)) <= np.array((width, height))).all(1)  # a box of twice the size
    return bool((about | (points == 0).all(1)).mean() >= 0.5)


def _is_turned_box(values: Sequence[float]) -> bool:
    """Whether four corners make a rectangle; in parts of the image it is a parallelogram."""
    if len(values) != 8:
        return False
    first, second, third, fourth = np.array(values).reshape(4, 2)
    (x1, y1), (x2, y2) = second - first, fourth - first
    return bool(np.abs(first + third - second - fourth).max() <= 2 * TOLERANCE) and bool(x1 * y2 != y1 * x2)
