"""Outlines as pixels.

Pillow draws polygons as well, but cuts their coordinates to whole numbers and colours every pixel that the outline
touches: a square from 0 to 10 would be 11 pixels wide, and neighbours would overlap.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from metaloss.data.convert.shapes import Outline

_CORNERS = 64  # of a circle; a multiple of 4, so that its box is exact


def fill(mask: NDArray[np.uint8], outline: Outline, value: int) -> bool:
    """Gives a value to the pixels whose centres lie inside an outline, by the even-odd rule.

    Coordinates are continuous: the first pixel reaches from 0 to 1 and has its centre at 0.5. A square from 0 to 10 is
    10 pixels wide, and outlines that share an edge share no pixel.

    Args:
        mask: (H, W), written into.
        outline: (N, 2), x and y in pixels; N at least 3; closed by itself; may reach over the border.
        value: for these pixels.

    Returns:
        Whether there is such a pixel.
    """
    height, width = mask.shape
    x, y = outline.T
    first = max(math.ceil(y.min() - 0.5), 0)
    last = min(math.ceil(y.max() - 0.5), height)
    if first >= last:
        return False
    rows = np.arange(first, last) + 0.5
    above = y[:, None] <= rows
    edge, row = np.nonzero(above != np.roll(above, -1, axis=0))
    x_end, y_end = np.roll(x, -1), np.roll(y, -1)
    share = (rows[row] - y[edge]) / (y_end[edge] - y[edge])
    crossing = x[edge] + share * (x_end[edge] - x[edge])
    column = np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.int64)
    left, right = int(column.min()), int(column.max())
    crossed = np.zeros((last - first, right - left + 1), dtype=np.int32)
    np.add.at(crossed, (row, column - left), 1)
    inside = np.cumsum(crossed[:, :-1], axis=1) % 2 == 1
    mask[first:last, left:right][inside] = value
    return bool(inside.any())


def circle(x: float, y: float, radius: float) -> Outline:
    """A circle as a polygon of 64 corners: its area is right to 0.2 %, its box exactly."""
    angles = np.arange(_CORNERS) * (2 * math.pi / _CORNERS)
    return np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)


def area(outline: Outline) -> float:
    """The area inside an outline that does not cross itself, in the square of its unit."""
    x, y = outline.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
