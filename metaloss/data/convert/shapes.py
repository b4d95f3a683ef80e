"""What a label file draws, whatever wrote it: outlines with the name of a class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.float64]
"""(N, 2): x and y of each corner, continuous: the first pixel reaches from 0 to 1."""


@dataclass(frozen=True)
class Shape:
    """One labelled object, or a part of one.

    Attributes:
        label: the name of its class.
        outline: the object's own, or the corners of its box.
        where: file and place, for messages.
        region: whether the outline is the object's own; else it is a box with the object in it.
        group: shapes of one label and one group are parts of one object; ``None`` is an object of its own.
    """

    label: str
    outline: Outline
    where: str
    region: bool = True
    group: Any = None


@dataclass(frozen=True)
class Drawing:
    """The shapes of one image, in the order of their file: later ones lie over earlier ones.

    Attributes:
        file: where they are written; its stem is the image's.
        shapes: what was read.
        size: (H, W) of the image as the file says, or ``None``.
        normalised: whether outlines are in parts of the image's width and height, else in pixels.
        left_out: how many entries of the file are no shapes, by the reason.
    """

    file: Path
    shapes: tuple[Shape, ...]
    size: tuple[int, int] | None = None
    normalised: bool = False
    left_out: Mapping[str, int] = field(default_factory=dict)


def rectangle(left: float, top: float, right: float, bottom: float) -> Outline:
    """The corners of a box."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=np.float64)


def objects(drawing: Drawing) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Finds the objects of an image: what belongs to one group is one.

    Args:
        drawing: the shapes.

    Returns:
        Per object its label and the box around all of its parts, as left, top, right, bottom; in the order in which
        their first parts are written.
    """
    parts: dict[Any, list[Shape]] = {}
    for number, shape in enumerate(drawing.shapes):
        key = ("alone", number) if shape.group is None else (shape.label, str(shape.group))
        parts.setdefault(key, []).append(shape)
    found = []
    for shapes in parts.values():
        corners = np.concatenate([shape.outline for shape in shapes])
        (left, top), (right, bottom) = corners.min(0).tolist(), corners.max(0).tolist()
        found.append((shapes[0].label, (left, top, right, bottom)))
    return found
