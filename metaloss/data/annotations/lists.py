"""TDFusion's lists: one text file for all images, lines ``name x1,y1,x2,y2,class x1,y1,x2,y2,class ...`` in pixels."""

from __future__ import annotations

import math
from pathlib import Path

from metaloss.data.annotations.annotation import Annotation
from metaloss.data.annotations.complaints import Complaints
from metaloss.data.annotations.vanishing import Box
from metaloss.data.class_choice import ClassChoice
from metaloss.data.list_lines import split_line, stem_of
from metaloss.data.texts import read_text
from metaloss.errors import DataError

_FORM = "`name x1,y1,x2,y2,class ...`, corners in pixels"


def read_list(path: Path, num_classes: int = 0, *, choice: ClassChoice | None = None) -> dict[str, Annotation]:
    """Reads one file; a name without boxes is an image without objects.

    Args:
        path: the file; empty lines and those that start with ``#`` are skipped.
        num_classes: how many classes there are; 0 when unknown.
        choice: which of the classes count, and what becomes of the others; default: all of ``num_classes``.

    Returns:
        The annotations by the stem of the image's file name, in the order of the lines.

    Raises:
        DataError: not text, without a single box, or a line that cannot be right; it is named.
    """
    lines = read_text(path, _FORM, "list of images and boxes").splitlines()
    choice = choice or ClassChoice(tuple(map(str, range(num_classes))))
    found: dict[str, Annotation] = {}
    complaints = Complaints()
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, boxes = split_line(line)
        stem, place = stem_of(name), f"line {number}"
        last = name.split()[-1]
        with complaints.about(place):
            if "," in last:
                raise DataError(f"{path}, {place}: {last!r} is not five numbers; expected {_FORM}")
            if stem in found:
                raise DataError(f"{path}, {place}: {stem!r} is listed twice, and files are paired by stem: remove one")
            found[stem] = _annotation(path, place, boxes, choice)
    complaints.end("line", "lines")
    if not any(each.boxes or each.left_out for each in found.values()):
        first = next((line.strip() for line in lines if line.strip()), "")
        raise DataError(
            f"{path}: names {len(found)} images and not one box; expected {_FORM}; it begins with {first!r:.80}"
        )
    return found


def _annotation(path: Path, place: str, texts: list[str], choice: ClassChoice) -> Annotation:
    where = f"{path}, {place}"
    return Annotation.of_ids(path, ((*_box(text, where), where) for text in texts), choice, place=place)


def _box(text: str, where: str) -> tuple[int, Box]:
    try:
        left, top, right, bottom, label = map(float, text.split(","))
    except ValueError:
        raise DataError(f"{where}: {text!r} is not five numbers; expected {_FORM}") from None
    if not all(map(math.isfinite, (left, top, right, bottom, label))) or not label.is_integer():
        raise DataError(f"{where}: {text!r}; expected {_FORM}, the class a whole number from 0")
    if right < left or bottom < top:
        raise DataError(
            f"{where}: the box ends ({right:g}, {bottom:g}) before it begins ({left:g}, {top:g}); expected {_FORM}, "
            "not width and height"
        )
    return int(label), (left, top, right, bottom)
