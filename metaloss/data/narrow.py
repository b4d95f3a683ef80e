"""Finds sources that use only a few per cent of their range, as thermal counts of 14 bits in files of 16 do."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metaloss.data.images import read_numbers
from metaloss.data.pairing import Pair
from metaloss.data.reading import Reading
from metaloss.errors import DataError

NARROW = 0.05  # of the range
CURE = "range='data' takes each image's own minimum and maximum, range=({low}, {high}) the same for all"
_FEWEST = 8  # different numbers in an image; a mask mostly has fewer
_LOOKED_AT = 5  # files of each source
_TOLD: set[tuple[Path, ...]] = set()  # a trainer builds its data sets more than once


@dataclass(frozen=True)
class Use:
    """What a file uses of the range that it is read with.

    Attributes:
        file: its path.
        low: its smallest number.
        high: its largest number.
        limits: the numbers that become 0 and 1.
    """

    file: Path
    low: float
    high: float
    limits: tuple[float, float]

    @property
    def share(self) -> float:
        """What it uses of its range, 0 to 1."""
        bottom, top = self.limits
        return (min(max(self.high, bottom), top) - min(max(self.low, bottom), top)) / (top - bottom)


@dataclass(frozen=True)
class Narrow:
    """A source that is nearly flat as it is read.

    Attributes:
        uses: of those files that are.
        looked_at: of how many files.
    """

    uses: tuple[Use, ...]
    looked_at: int

    def say(self, cure: str) -> str:
        """Makes a sentence of it.

        Args:
            cure: with ``{low}`` and ``{high}`` for limits that suit all these files.
        """
        first = self.uses[0]
        others = f" ({len(self.uses)} of {self.looked_at} files looked at are like that)" if self.looked_at > 1 else ""
        low, high = min(use.low for use in self.uses), max(use.high for use in self.uses)
        return (
            f"{first.file}: its values, {first.low:g} to {first.high:g}, use {100 * first.share:.2g} % of its range, "
            f"{first.limits[0]:g} to {first.limits[1]:g}{others}, and networks see it nearly flat: "
            f"{cure.format(low=f'{low:g}', high=f'{high:g}')}"
        )


def narrow_sources(pairs: Sequence[Pair], readings: Sequence[Reading]) -> list[Narrow]:
    """Looks at some files of each source, and finds those sources of whose files more than half are nearly flat.

    Masks, files that cannot be read, and ranges that follow the image's own numbers say nothing.

    Args:
        pairs: the files.
        readings: how each source is read.

    Returns:
        At most one for each source.
    """
    found = []
    for place, reading in enumerate(readings):
        if reading.range.kind in ("full", "numbers"):
            uses = [use for pair in _spread(pairs) if (use := _use(pair.sources[place], reading)) is not None]
            narrow = tuple(use for use in uses if use.share < NARROW)
            if 2 * len(narrow) > len(uses):
                found.append(Narrow(narrow, len(uses)))
    return found


def warn_of_narrow(pairs: Sequence[Pair], readings: Sequence[Reading]) -> None:
    """Warns of the narrow sources of a data set, once for the same files.

    Args:
        pairs: the files.
        readings: how each source is read.
    """
    for narrow in narrow_sources(pairs, readings):
        files = tuple(use.file for use in narrow.uses)
        if files not in _TOLD:
            _TOLD.add(files)
            warnings.warn(narrow.say(CURE), stacklevel=3)


def _spread(pairs: Sequence[Pair]) -> list[Pair]:
    count = min(len(pairs), _LOOKED_AT)
    return [pairs[number * len(pairs) // count] for number in range(count)]


def _use(file: Path, reading: Reading) -> Use | None:
    """What one file uses; ``None`` where it says nothing."""
    try:
        numbers = read_numbers(file, reading.channels)
        limits = reading.range.limits(numbers)
    except DataError:  # told where the file is used
        return None
    use = Use(file, float(numbers.values.min()), float(numbers.values.max()), limits)
    return None if use.share < NARROW and len(np.unique(numbers.values)) < _FEWEST else use
