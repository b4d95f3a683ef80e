"""Lines of YOLO's labels of every task: boxes, polygons, turned boxes, keypoints."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metaloss.data.annotations.yolo_kinds import TOLERANCE, Form, form_of
from metaloss.data.convert.shapes import Drawing, Shape, rectangle
from metaloss.data.texts import read_text
from metaloss.errors import DataError

_ENDLESS = 2**31  # more classes than anybody has
_MANY = 30  # lines of one length, none of which is surely a polygon: hardly by chance
_SHOWN = 5
_SURE = 0.1  # of the lines that could tell; fewer may be slips of the one who labelled
_EXPECTED = (
    "expected numbers in parts of the image: `class x y width height`, a polygon `class x1 y1 x2 y2 x3 y3 ...`, four "
    "corners, or a box with keypoints"
)


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        where: file and number, for messages.
        label: the number of the class.
        values: those behind it.
        form: what it is.
    """

    where: str
    label: int
    values: tuple[float, ...]
    form: Form


def read_lines(path: Path) -> list[Line]:
    """Reads one file; an empty one is an image without objects.

    Args:
        path: the file.

    Raises:
        DataError: not text, or a line that is of no form; file and line are named.
    """
    rows = enumerate(read_text(path, "YOLO's lines").splitlines(), 1)
    return [_line(text.split(), f"{path}, line {number}") for number, text in rows if text.strip()]


def _line(words: Sequence[str], where: str) -> Line:
    try:
        label, *values = map(float, words)
    except ValueError:
        raise DataError(f"{where}: {' '.join(words)[:60]!r} is not all numbers; {_EXPECTED}") from None
    if not label.is_integer() or not 0 <= label < _ENDLESS:
        raise DataError(f"{where}: class {words[0]}; expected a whole number from 0")
    form = form_of(values)
    if form is None:
        outside = any(not -TOLERANCE <= value <= 1 + TOLERANCE for value in values)
        what = "lies outside 0..1" if outside and len(values) % 2 == 0 else f"has {len(words)} numbers"
        raise DataError(f"{where}: {' '.join(words)[:60]!r} {what}; {_EXPECTED}")
    return Line(where, int(label), tuple(values), form)


def settle(lines: Sequence[Line], form: str = "auto") -> list[Line]:
    """Decides what lines are that their own numbers leave open.

    A data set's keypoints have one number of values, its polygons many. So a line that can be either has keypoints when
    others of its length surely have, and is a polygon when others surely are polygons: a tenth of all that could tell,
    and one at least of its length where there are many.

    Args:
        lines: of all files of a data set.
        form: ``"auto"``; or what all lines of more than five numbers are, ``"polygon"``, ``"obb"`` (four corners) or
            ``"keypoints"``.

    Returns:
        The lines, none of them ``"either"``.

    Raises:
        DataError: a line stays open, or cannot be of the form that is said; file and line are named.
    """
    if form != "auto":
        return [line if line.form == "box" else _as(line, form) for line in lines]
    by_length: defaultdict[int, list[Line]] = defaultdict(list)
    for line in lines:
        if line.form != "box":
            by_length[len(line.values)].append(line)
    surely = {length: {line.form for line in alike} - {"either"} for length, alike in by_length.items()}
    with_keypoints = {length for length, forms in surely.items() if "keypoints" in forms}
    share_of_all = _share_of_polygons([line for alike in by_length.values() for line in alike])
    decided: dict[int, Form] = {}
    for length, alike in by_length.items():
        share = 0 if len(alike) >= _MANY and "polygon" not in surely[length] else share_of_all
        if length in with_keypoints:
            decided[length] = "either" if "polygon" in surely[length] else "keypoints"
        elif with_keypoints or share >= _SURE:
            decided[length] = "polygon"
    return [_decided(line, decided.get(len(line.values), "either")) for line in lines]


def _share_of_polygons(lines: Sequence[Line]) -> float:
    return sum(line.form == "polygon" for line in lines) / max(len(lines), 1)


def _decided(line: Line, form: Form) -> Line:
    if line.form != "either":
        return line
    if form == "either":
        raise DataError(
            f"{line.where}: {len(line.values) + 1} numbers, a polygon as well as a box with keypoints, and no other "
            "line tells which: say it with --form polygon, --form obb or --form keypoints"
        )
    return Line(line.where, line.label, line.values, form)


def _as(line: Line, form: str) -> Line:
    count = len(line.values)
    if form == "keypoints":
        right = line.form in ("keypoints", "either") or (
            count > 5 and (count % 2 == 0 or (count - 4) % 3 == 0) and form_of(line.values[:4]) == "box"
        )
        return _checked(line, right, "keypoints", "a box and its keypoints")
    right = line.form in ("polygon", "either") and (form == "polygon" or count == 8)
    return _checked(line, right, "polygon", "a polygon" if form == "polygon" else "four corners")


def _checked(line: Line, right: bool, form: Form, spoken: str) -> Line:
    if not right:
        raise DataError(f"{line.where}: {len(line.values) + 1} numbers that are not a class and {spoken}")
    return Line(line.where, line.label, line.values, form)


def drawing(path: Path, lines: Sequence[Line], names: Sequence[str]) -> Drawing:
    """Makes shapes of the lines of one file.

    Args:
        path: the file.
        lines: none of them ``"either"``.
        names: of the classes; without any, each number is its own name.

    Raises:
        DataError: a class has no name, though others have; file and line are named.
    """
    shapes = []
    for line in lines:
        if names and line.label >= len(names):
            raise DataError(f"{line.where}: class {line.label}, and {len(names)} names are known: {_listed(names)}")
        name = names[line.label] if names else str(line.label)
        if line.form == "polygon":
            shapes.append(Shape(name, np.array(line.values).reshape(-1, 2), line.where))
        else:
            x, y, width, height = line.values[:4]
            corners = rectangle(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            shapes.append(Shape(name, corners, line.where, region=False))
    return Drawing(path, tuple(shapes), normalised=True)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")
