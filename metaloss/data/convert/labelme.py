"""LabelMe's json: one file per image, with outlines in pixels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from metaloss.data.convert.polygons import circle
from metaloss.data.convert.shapes import Drawing, Outline, Shape, rectangle
from metaloss.data.texts import read_json
from metaloss.errors import DataError

_FORM = "LabelMe's json, with a list `shapes`"
_FLAT = ("point", "points", "line", "linestrip")
_TURNED = ("rotation", "oriented_rectangle")  # rectangles of four corners, as LabelMe's relatives call them


def read_labelme(path: Path) -> Drawing:
    """Reads one file; the picture that may be packed into it is not looked at.

    Polygons, rectangles and circles are shapes; points and lines have no area and are left out, and so is an outline
    of fewer than three points. Shapes of one ``group_id`` are parts of one object.

    Args:
        path: the file.

    Returns:
        The shapes in pixels, with the size of the image where the file says it.

    Raises:
        DataError: not such a file, or a shape that cannot be right; file and shape are named.
    """
    content = read_json(path, _FORM)
    entries = content.get("shapes") if isinstance(content, Mapping) else None
    if not isinstance(entries, list):
        raise DataError(f"{path}: has no list `shapes`; expected {_FORM}")
    shapes: list[Shape] = []
    left_out: Counter[str] = Counter()
    for number, entry in enumerate(entries, 1):
        found = _shape(entry, f"{path}, shape {number}")
        if isinstance(found, str):
            left_out[found] += 1
        else:
            shapes.append(found)
    return Drawing(path, tuple(shapes), _size(content, path), left_out=left_out)


def _shape(entry: Any, where: str) -> Shape | str:
    """The shape, or why it is none."""
    if not isinstance(entry, Mapping):
        raise DataError(f"{where}: {str(entry)[:40]!r}; expected a label, points and a shape_type")
    label = entry.get("label")
    if not isinstance(label, str) or not label.strip():
        raise DataError(f"{where}: label {label!r}; expected the name of a class")
    kind = entry.get("shape_type") or "polygon"  # files of the first versions say no type
    if kind in _FLAT:
        return f"{kind}: has no area"
    points = _points(entry.get("points"), where)
    outline: Outline
    if kind == "circle":
        if len(points) != 2:
            raise DataError(f"{where}: a circle of {len(points)} points; expected its centre and one on its rim")
        (x, y), rim = points.tolist()
        outline = circle(x, y, math.dist((x, y), rim))
    elif kind == "rectangle" and len(points) == 2:
        outline = rectangle(*points.min(0), *points.max(0))
    elif kind in ("polygon", "rectangle", *_TURNED):
        if len(points) < 3:
            return f"{kind} of fewer than three points"
        outline = points
    else:
        raise DataError(f"{where}: shape_type {kind!r}; expected a polygon, a rectangle or a circle: draw it as one")
    return Shape(label.strip(), outline, where, group=entry.get("group_id"))


def _points(points: Any, where: str) -> Outline:
    """(N, 2), float64."""
    pairs = isinstance(points, list) and all(isinstance(point, list) and len(point) == 2 for point in points)
    if not pairs or not all(_is_number(value) for point in points for value in point):
        raise DataError(f"{where}: points {str(points)[:40]!r}; expected a list of x and y in pixels")
    return np.array(points, dtype=np.float64).reshape(-1, 2)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9


def _size(content: Mapping[str, Any], path: Path) -> tuple[int, int] | None:
    """(H, W), or ``None`` where the file says neither."""
    height, width = content.get("imageHeight"), content.get("imageWidth")
    if height is None and width is None:
        return None
    for side in (height, width):
        if isinstance(side, bool) or not isinstance(side, int) or side < 1:
            raise DataError(f"{path}: imageHeight {height!r}, imageWidth {width!r}; expected numbers of pixels")
    return height, width  # type: ignore[return-value]
