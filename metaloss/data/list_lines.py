"""Lines of lists of scenes: names, paths, and columns behind them as published lists have them."""

from __future__ import annotations

import os
import re

from metaloss.data.formats import FORMATS

_SUFFIXES = {*FORMATS, ".txt", ".xml", ".json"}  # of labels
# TDFusion's lists for detection: a name, then x1,y1,x2,y2,class per box
_BOX = re.compile(r"\s+([-+.\deE]+(?:,[-+.\deE]+){4})$")
# Pascal VOC's lists of one class: 1 with it, -1 without, 0 where it is hard to see
_FLAG = re.compile(r"(.*?\S)\s+([+-]?[01])")


def split_line(line: str) -> tuple[str, list[str]]:
    """Divides a line into the name and the boxes behind it: ``a.png 8,2,40,30,0 ...``.

    Args:
        line: of a list; without boxes it is all name.

    Returns:
        The name, as it stands there; and the text of each box, five numbers with commas between them.
    """
    name, boxes = line.strip(), []
    while found := _BOX.search(name):
        boxes.append(found[1])
        name = name[: found.start()]
    return name, boxes[::-1]


def flag_of(line: str) -> tuple[str, int] | None:
    """Divides a line of a list of one class, as Pascal VOC has them, into its name and 1, 0 or -1; ``None`` of others.

    Args:
        line: of a list, without spaces around it.
    """
    found = _FLAG.fullmatch(line)
    return (found[1], int(found[2])) if found else None


def without_columns(line: str) -> str:
    """A line's name, without the columns of boxes or of a class behind it.

    Args:
        line: of a list, without spaces around it.
    """
    name, boxes = split_line(line)
    flag = None if boxes else flag_of(line)
    return flag[0] if flag else name


def last_part(entry: str) -> str:
    """The last part of a path, as Windows or others write it."""
    return entry.replace("\\", "/").rstrip("/").rpartition("/")[2]


def without_suffix(entry: str) -> str:
    """A name or path without the ending of an image's or a label's file."""
    stem, suffix = os.path.splitext(entry)
    return stem if suffix.lower() in _SUFFIXES else entry


def stem_of(name: str) -> str:
    """The stem of a file, of a name with folders in front."""
    return without_suffix(last_part(name))
