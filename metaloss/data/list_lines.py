"""Lines of a list of images that have their boxes behind the name, as TDFusion's lists: ``a.png 8,2,40,30,0 ...``."""

from __future__ import annotations

import re
from pathlib import PureWindowsPath

from metaloss.data.images import FORMATS

_BOX = re.compile(r"\s+([-+.\deE]+(?:,[-+.\deE]+){4})$")


def split_line(line: str) -> tuple[str, list[str]]:
    """Divides a line into the name and the boxes behind it.

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


def stem_of(name: str) -> str:
    """The stem of an image's file, of a name with folders in front, as Windows or others write them."""
    path = PureWindowsPath(name)
    return path.stem if path.suffix.lower() in FORMATS else path.name
