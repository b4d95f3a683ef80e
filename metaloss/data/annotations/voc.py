"""Pascal VOC's xml files: one file per image, corners in pixels, classes by name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from metaloss.data.annotations.annotation import Annotation
from metaloss.data.annotations.vanishing import Box
from metaloss.data.class_choice import NO_CLASS, ClassChoice
from metaloss.errors import DataError

_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_voc(path: Path, classes: Sequence[str] = (), *, choice: ClassChoice | None = None) -> Annotation:
    """Reads one file; objects marked as difficult are left out.

    Corners are taken as they are written, counted from 0 as by today's labelling programs.

    Args:
        path: the file.
        classes: the names in the order of their ids.
        choice: the same, and what becomes of the other classes; default: all of ``classes``, and no other.

    Raises:
        DataError: not such a file, or an object that cannot be right; file and object are named.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError, ValueError, LookupError) as error:  # the last two: a strange encoding
        raise DataError(f"{path}: cannot be read as xml ({' '.join(str(error).split())})") from error
    if root.tag != "annotation":
        raise DataError(f"{path}: a <{root.tag}> file; expected Pascal VOC's <annotation>")
    choice = choice or ClassChoice(tuple(classes))
    boxes, labels, left_out = [], [], []
    for number, thing in enumerate(root.iter("object"), 1):
        if (thing.findtext("difficult") or "0").strip() == "1":
            continue
        where = f"{path}, object {number}"
        name = (thing.findtext("name") or "").strip()
        label = choice.of_name(name, where)
        box = _box(thing, where)
        if label == NO_CLASS:
            left_out.append(name)
        else:
            labels.append(label)
            boxes.append(box)
    return Annotation(path, tuple(boxes), tuple(labels), size=_size(root, path), left_out=tuple(left_out))


def names_in_voc(path: Path) -> tuple[set[str], int]:
    """Looks which classes a file names.

    Args:
        path: the file.

    Returns:
        The names, and how many further objects are marked as difficult; nothing where it cannot be read.
    """
    try:
        things = list(ElementTree.parse(path).getroot().iter("object"))
    except (OSError, ElementTree.ParseError, ValueError, LookupError):  # read_voc says what is wrong
        return set(), 0
    easy = [thing for thing in things if (thing.findtext("difficult") or "0").strip() != "1"]
    return {(thing.findtext("name") or "").strip() for thing in easy}, len(things) - len(easy)


def _box(thing: ElementTree.Element, where: str) -> Box:
    texts = [thing.findtext(f"bndbox/{corner}") for corner in _CORNERS]
    try:
        left, top, right, bottom = (float(text or "") for text in texts)
    except ValueError:
        given = ", ".join(f"{corner}={text}" for corner, text in zip(_CORNERS, texts, strict=True))
        raise DataError(f"{where}: {given}; expected four numbers in <bndbox>") from None
    if not all(map(math.isfinite, (left, top, right, bottom))):
        raise DataError(f"{where}: a box of {left}, {top}, {right}, {bottom}; expected pixels")
    if not (right >= left and bottom >= top):
        raise DataError(
            f"{where}: the box ends ({right:g}, {bottom:g}) before it begins ({left:g}, {top:g}); expected corners, "
            "not width and height"
        )
    return left, top, right, bottom


def _size(root: ElementTree.Element, path: Path) -> tuple[int, int] | None:
    texts = [(root.findtext(f"size/{side}") or "0").strip() for side in ("height", "width")]
    try:
        height, width = map(float, texts)
        whole = height.is_integer() and width.is_integer()
    except ValueError:
        whole = False
    if not whole:
        raise DataError(f"{path}: a <size> of {texts[1]}x{texts[0]}; expected whole numbers")
    return (int(height), int(width)) if height > 0 and width > 0 else None
