"""What a line of YOLO is that is no box: a polygon, a turned box, keypoints, a prediction."""

from __future__ import annotations

from collections.abc import Sequence

_BOX = 5  # class, middle, width and height
_CORNERS = 9  # class and four corners
_VISIBLE = (0, 1, 2)  # what the third number of a keypoint says
_CONVERT = "`metaloss data convert` makes boxes of them"
_SLACK = 0.05  # keypoints lie a little outside of their box, too
_SPREAD = 0.4  # of the box that keypoints take up at least; the points of a polygon are no part of numbers before them


def kind_of(words: Sequence[str]) -> str:
    """Says what a line of more values than a box looks like.

    Args:
        words: of the line.

    Returns:
        ``", keypoints by the look of it: `metaloss data convert` ..."``, or nothing.
    """
    try:
        values = [float(word) for word in words]
    except ValueError:
        return _named_corners(words)
    count = len(values)
    if count == _BOX + 1:
        return ", a prediction with its confidence by the look of it, and no label: leave the last value out"
    if count > _BOX and _is_keypoints(values):
        return f", a box with keypoints by the look of it: {_CONVERT}"
    if count == _CORNERS:
        return f", a turned box (OBB) or a polygon of four points by the look of it: {_CONVERT}"
    if count > _BOX and count % 2:
        return f", a polygon of {count // 2} points by the look of it: {_CONVERT}"
    return ""


def _is_keypoints(values: Sequence[float]) -> bool:
    """Whether a box stands in front, and points all over it behind, each with or without its visibility."""
    x, y, width, height = values[1:_BOX]
    rest = values[_BOX:]
    if len(rest) % 3 == 0 and all(value in _VISIBLE for value in rest[2::3]):
        return True
    if len(rest) % 2 or len(values) <= _CORNERS:
        return False
    points = [point for point in zip(rest[::2], rest[1::2], strict=True) if point != (0, 0)]  # 0 0: not to be seen
    if not points:
        return False
    inside = all(abs(px - x) <= width / 2 + _SLACK and abs(py - y) <= height / 2 + _SLACK for px, py in points)
    wide, high = (max(part) - min(part) for part in zip(*points, strict=True))
    return inside and wide >= _SPREAD * width and high >= _SPREAD * height


def _named_corners(words: Sequence[str]) -> str:
    """DOTA's own files: eight numbers, a name, and whether it is difficult."""
    try:
        [float(word) for word in words[:8]]
    except ValueError:
        return ""
    return ", a turned box (OBB) of DOTA by the look of it" if len(words) in (9, 10) else ""
