"""Masks as whole numbers, one per pixel: a colour, or a class id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from metaloss.data.images import read_ids, read_image

Numbers = NDArray[np.int64]


def colour_numbers(path: Path) -> Numbers:
    """Reads a colour-coded mask; transparency is dropped, and palette images become colour.

    Args:
        path: as for :func:`metaloss.data.read_image`.

    Returns:
        (H, W): each pixel's colour as 0xRRGGBB.

    Raises:
        DataError: the file cannot be read.
    """
    levels = read_image(path).mul_(255).round_().to(torch.uint8).numpy().astype(np.int64)
    red, green, blue = levels if len(levels) == 3 else (levels[0],) * 3
    return np.asarray(red << 16 | green << 8 | blue, dtype=np.int64)


def id_numbers(path: Path) -> Numbers:
    """Reads a mask of class ids.

    Args:
        path: as for :func:`metaloss.data.read_ids`.

    Returns:
        (H, W): each pixel's class id.

    Raises:
        DataError: the file cannot be read, or holds colours.
    """
    return np.asarray(read_ids(path).numpy(), dtype=np.int64)


def counts(numbers: Numbers) -> dict[int, int]:
    """How many pixels each number has."""
    found, place, length = _runs(numbers)
    pixels = np.bincount(place, weights=length, minlength=len(found))
    return {int(number): int(count) for number, count in zip(found, pixels, strict=True)}


def replaced(numbers: Numbers, table: Mapping[int, int]) -> NDArray[np.uint8]:
    """Replaces every number.

    Args:
        numbers: (H, W).
        table: what each becomes, 0..255.

    Returns:
        (H, W).
    """
    found, place, length = _runs(numbers)
    new = np.array([table[int(number)] for number in found], dtype=np.uint8)
    return np.repeat(new[place], length).reshape(numbers.shape)


def _runs(numbers: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Distinct numbers; and per run of equal pixels its number's place among them, and its length.

    A mask has few runs: to sort these is many times faster than to sort its pixels.
    """
    flat = numbers.ravel()
    start = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    length = np.diff(start, append=len(flat))
    found, place = np.unique(flat[start], return_inverse=True)
    return found, place, length


def palettes_agree(files: Sequence[Path]) -> bool | None:
    """Says whether the indices of palette images mean the same in all of them, as class ids do.

    Args:
        files: the images.

    Returns:
        Whether every index that is used has one colour in all files; ``None`` where a file has no palette.
    """
    from PIL import Image

    meaning: dict[int, list[int]] = {}
    for file in files:
        try:
            with Image.open(file) as image:
                if image.mode != "P":
                    return None
                used = np.unique(np.array(image)).tolist()
                palette = np.array(image.getpalette("RGB")).reshape(-1, 3).tolist()
        except Exception:  # damaged files make Pillow raise nearly anything: whoever reads it will say so
            return None
        for index in used:
            colour = palette[index] if index < len(palette) else []
            if meaning.setdefault(index, colour) != colour:
                return False
    return True
