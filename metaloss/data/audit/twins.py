"""Finds scenes of two sets that are nearly the same picture, by difference hashes of small grey images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

_SIDE = 16  # of the small image
_BITS = 16  # in a band; two hashes that differ in fewer bits than they have bands agree in one band
_CROWD = 32  # scenes with one band alike that a scene is compared with

Words = NDArray[np.uint16]


class Twins(NamedTuple):
    """Two scenes that look alike.

    Attributes:
        first: number of the one in its set.
        second: number of the other.
        differ: how many bits differ.
        bits: of how many.
    """

    first: int
    second: int
    differ: int
    bits: int


def picture_bits(image: Tensor) -> Tensor:
    """Whether a small copy of an image gets brighter from each place to the next.

    Args:
        image: luma (1, H, W), in [0, 1].

    Returns:
        256 bits (32,), uint8.
    """
    small = F.adaptive_avg_pool2d(image[None], (_SIDE, _SIDE + 1))[0, 0]
    brighter = (small[:, 1:] > small[:, :-1]).numpy()
    return torch.from_numpy(np.packbits(brighter.reshape(-1)))


def find_twins(first: Sequence[bytes | None], second: Sequence[bytes | None]) -> list[Twins]:
    """Finds for each scene of the second set the scene of the first that is nearest, where it is near.

    Near are hashes of which fewer than one bit in sixteen differs: such agree in one of their bands of 16 bits, so that
    only scenes with a band alike are compared, and the time grows with the number of scenes. Of the many scenes of dark
    or empty pictures that share a band, some are compared.

    Args:
        first: per scene its bits, as many for all; ``None`` where there are none.
        second: likewise.

    Returns:
        The pairs, in the order of the second set.
    """
    left, right = _words(first), _words(second)
    if not left or not right or left[1].shape[1] != right[1].shape[1]:
        return []
    (places, known), (numbers, asked) = left, right
    bands = known.shape[1]
    best = np.full((len(asked), 2), (bands, -1))  # the fewest bits that differ, and where
    for band in range(bands):
        order = np.argsort(known[:, band], kind="stable")
        column = known[order, band]
        begin = np.searchsorted(column, asked[:, band], "left")
        end = np.searchsorted(column, asked[:, band], "right")
        for step in range(_CROWD):
            some = np.flatnonzero(begin + step < end)
            if not len(some):
                break
            stride = np.maximum((end[some] - begin[some]) // _CROWD, 1)
            candidates = order[begin[some] + step * stride]
            differ = _differing(known[candidates], asked[some])
            better = differ < best[some, 0]
            best[some[better]] = np.stack([differ[better], candidates[better]], 1)
    return [
        Twins(places[where], numbers[number], int(differ), bands * _BITS)
        for number, (differ, where) in enumerate(best)
        if where >= 0
    ]


def _words(bits: Sequence[bytes | None]) -> tuple[list[int], Words] | None:
    """The scenes that have bits, and these in bands."""
    known = [number for number, each in enumerate(bits) if each is not None]
    if not known or len({len(each) for each in bits if each is not None}) > 1:
        return None
    words = np.stack([np.frombuffer(each, dtype=np.uint16) for each in bits if each is not None])
    return known, words


def _differing(first: Words, second: Words) -> NDArray[np.int64]:
    found: NDArray[np.int64] = np.unpackbits((first ^ second).view(np.uint8), axis=1).sum(1, dtype=np.int64)
    return found
