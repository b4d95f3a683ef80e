"""Outlines to masks of class ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from metaloss.data.convert.classes import Plan
from metaloss.data.convert.outcome import Outcome
from metaloss.data.convert.polygons import fill
from metaloss.data.convert.shapes import Drawing
from metaloss.data.convert.sizes import Size, known_size
from metaloss.data.convert.writing import write_mask
from metaloss.errors import DataError
from metaloss.runtime.progress_bar import progress_bar


def write_drawn(drawings: Sequence[Drawing], sizes: Mapping[str, Size], plan: Plan, outcome: Outcome) -> None:
    """Writes a mask of class ids for each drawing.

    Args:
        drawings: what was read.
        sizes: of the images, by stem, as far as they were looked at.
        plan: the classes.
        outcome: where it is counted; its folder is written into.

    Raises:
        DataError: the size of an image is unknown, or a box is given where its object's outline is needed.
    """
    # all errors come before the first file
    known = [known_size(drawing.file, drawing.size, sizes.get(drawing.file.stem)) for drawing in drawings]
    for drawing in drawings:
        box = next((shape for shape in drawing.shapes if not shape.region), None)
        if box is not None:
            raise DataError(f"{box.where}: a box, and masks need the outline of what is in it: give --to boxes")
    with progress_bar("writing", len(drawings)) as advance:
        for drawing, size in zip(drawings, known, strict=True):
            mask = draw(drawing, size, plan, outcome.left_out)
            name = f"{drawing.file.stem}.png"
            write_mask(outcome.out / name, mask)
            outcome.add_mask(name, mask)
            advance(drawing.file.name)


def draw(drawing: Drawing, size: Size, plan: Plan, left_out: Counter[str]) -> NDArray[np.uint8]:
    """Draws a mask, shape by shape: later ones lie over earlier ones.

    Args:
        drawing: the shapes.
        size: (H, W) of the image.
        plan: the classes, with a background.
        left_out: counts what is not drawn, by the reason.

    Returns:
        (H, W) class ids.
    """
    mask = np.full(size, plan.background, dtype=np.uint8)
    left_out.update(drawing.left_out)
    for shape in drawing.shapes:
        number = plan.ids.get(shape.label, plan.others)
        if number is None or shape.label not in plan.ids:
            left_out[f"class {shape.label}{'' if number is None else ', now ignored'}"] += 1
        if number is None:
            continue
        outline = shape.outline * (size[1], size[0]) if drawing.normalised else shape.outline
        if not fill(mask, outline, number):
            left_out["outside the image, or with no pixel's centre in it"] += 1
    return mask
