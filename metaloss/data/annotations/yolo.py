"""YOLO's text files: one line ``class x_centre y_centre width height`` per box, in parts of the image."""

from __future__ import annotations

from pathlib import Path

from metaloss.data.annotations.annotation import Annotation
from metaloss.data.annotations.vanishing import Box
from metaloss.data.annotations.yolo_kinds import TOLERANCE, kind_of
from metaloss.data.class_choice import ClassChoice
from metaloss.data.texts import read_text
from metaloss.errors import DataError

_IN_PIXELS = 2  # no part of an image is as large
_ENDLESS = 2**31  # more classes than anybody has
_FORM = "`class x_centre y_centre width height`, in parts of the image"


def read_yolo(path: Path, num_classes: int = 0, *, choice: ClassChoice | None = None) -> Annotation:
    """Reads one file; an empty one is an image without objects.

    Args:
        path: the file.
        num_classes: how many classes there are; 0 when unknown.
        choice: which of the classes count, and what becomes of the others; default: all of ``num_classes``.

    Raises:
        DataError: not text, or a line that cannot be right; file and line are named.
    """
    lines = read_text(path, _FORM).splitlines()
    choice = choice or ClassChoice(tuple(map(str, range(num_classes))))
    places = ((line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip())
    found = ((*_box(line.split(), where, choice), where) for line, where in places)
    return Annotation.of_ids(path, found, choice, normalised=True, form="centre")


def _box(words: list[str], where: str, choice: ClassChoice) -> tuple[int, Box]:
    if len(words) != 5:
        raise DataError(f"{where}: {len(words)} values{kind_of(words)}; expected {_FORM}")
    try:
        label, (x, y, width, height) = float(words[0]), map(float, words[1:])
    except ValueError:
        raise DataError(f"{where}: {' '.join(words)!r} is not five numbers; expected {_FORM}") from None
    if not label.is_integer() or abs(label) > _ENDLESS:
        raise DataError(f"{where}: class {words[0]}; expected {choice.expected}")
    values = (x, y, width, height)
    if not all(-TOLERANCE <= value <= 1 + TOLERANCE for value in values):
        pixels = "; pixels? divide them by the image's width and height" if max(values) >= _IN_PIXELS else ""
        raise DataError(f"{where}: {' '.join(words[1:])} lies outside 0..1; expected {_FORM}{pixels}")
    if min(width, height) < 0:
        raise DataError(f"{where}: a box {width:g} wide and {height:g} high; expected {_FORM}")
    return int(label), (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
