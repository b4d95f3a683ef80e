"""Which of a file's numbers become 0 and 1: ``range``.

``"full"``: 0 and the largest number of the file's depth, 255 or 65535. ``"data"``: the image's own minimum and maximum.
``(low, high)``: two numbers of the file's own kind, counts or degrees. ``("percentiles", 1, 99)``: of the image's own
numbers. What lies outside becomes 0 or 1. A colour image has one pair of limits, over all its channels: its hues stay,
and with ``"data"`` nothing of it is cut off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from metaloss.errors import ConfigError, DataError, nearest

Range: TypeAlias = "SourceRange | str | Sequence[Any]"
Ranges: TypeAlias = "Range | Sequence[Range] | Mapping[Any, Range]"
_WORDS = ("full", "data")
_PERCENTILES = "percentiles"
_EXPECTED = "expected 'full', 'data', (low, high) in the file's own numbers, or ('percentiles', 1, 99)"


@dataclass(frozen=True)
class Numbers:
    """The numbers of an image file as they are in it.

    Attributes:
        path: of the file.
        values: of shape (H, W), or (H, W, 3) in red, green, blue.
        bits: per channel.
    """

    path: Path
    values: NDArray[Any]
    bits: int

    def full_scale(self) -> float:
        """The largest number that the depth allows, and 1 for floating point.

        Raises:
            DataError: the file's numbers are not between 0 and that.
        """
        if self.values.dtype == np.uint8:
            return 255.0
        low, high = float(self.values.min()), float(self.values.max())
        fix = (
            f"give range=({low:.6g}, {high:.6g}), or limits that suit all files, or range='data' (--range LOW,HIGH or "
            "data)"
        )
        if self.values.dtype.kind == "f":
            if not 0 <= low <= high <= 1:
                raise DataError(
                    f"{self.path}: floating point pixels outside [0, 1], from {low:.6g} to {high:.6g}: {fix}"
                )
            return 1.0
        if self.bits > 16 or low < 0:
            kind = "signed" if low < 0 else f"{self.bits}-bit"
            raise DataError(
                f"{self.path}: {kind} integer pixels, from {low:.0f} to {high:.0f}: {fix}, or save "
                "it with 8 or 16 bits, unsigned"
            )
        return float(2**self.bits - 1)


@dataclass(frozen=True)
class SourceRange:
    """The range of one source.

    Attributes:
        kind: which of the four.
        low: what becomes 0, for ``"numbers"`` and, in per cent, for ``"percentiles"``.
        high: what becomes 1, likewise.
    """

    kind: Literal["full", "data", "numbers", "percentiles"] = "full"
    low: float = 0.0
    high: float = 0.0

    def __str__(self) -> str:
        """As it is written on a command line: ``"data"``, ``"7000,9000"``, ``"percentiles,1,99"``."""
        numbers = "" if self.kind in _WORDS else f"{self.low:.12g},{self.high:.12g}"
        return numbers if self.kind == "numbers" else ",".join(filter(None, (self.kind, numbers)))

    def limits(self, numbers: Numbers) -> tuple[float, float]:
        """Gives the numbers of a file that become 0 and 1.

        Raises:
            DataError: ``"full"``, and the file's numbers are outside of the full scale of its depth, or it has none.
        """
        if self.kind == "full":
            return 0.0, numbers.full_scale()
        if self.kind == "numbers":
            return self.low, self.high
        if self.kind == "percentiles":
            low, high = np.percentile(numbers.values, (self.low, self.high))
            if low < high:
                return float(low), float(high)
        return float(numbers.values.min()), float(numbers.values.max())

    def scale(self, numbers: Numbers) -> NDArray[np.float32]:
        """Brings an image into [0, 1].

        Returns:
            Of the numbers' shape. An image of one number becomes 0 by its own limits; where two percentiles are one
            number, the minimum and the maximum stand in for them.

        Raises:
            DataError: as :meth:`limits`.
        """
        (low, high), values = self.limits(numbers), numbers.values
        if low == high:
            return np.zeros(values.shape, np.float32)
        # float32 holds 16 bits exactly, and no more than 24
        exact = np.float64 if values.dtype.kind in "iu" and values.dtype.itemsize > 2 else np.float32
        scaled: NDArray[Any] = values.astype(exact)
        if self.kind != "full":
            scaled -= exact(low)
        scaled /= exact(high - low)
        scaled.clip(0, 1, out=scaled)
        return scaled.astype(np.float32, copy=False)


FULL = SourceRange()


def source_range(value: Range) -> SourceRange:
    """Reads the range of one source.

    Args:
        value: as the module says; or its text, as :class:`SourceRange` writes it.

    Raises:
        ConfigError: another form, or limits in the wrong order.
    """
    if isinstance(value, SourceRange):
        return value
    parts = [_number(part) for part in value.split(",")] if isinstance(value, str) else _listed(value)
    if len(parts) == 1 and parts[0] in _WORDS:
        return SourceRange(parts[0])
    if len(parts) == 2 and all(map(_is_number, parts)):
        return _ordered(value, "numbers", parts, "low below high")
    if len(parts) == 3 and parts[0] == _PERCENTILES and all(map(_is_number, parts[1:])):
        return _ordered(value, "percentiles", parts[1:], "two percentages in their order")
    hint = nearest(str(parts[0]), (*_WORDS, _PERCENTILES)) if parts and isinstance(parts[0], str) else ""
    raise ConfigError(f"range={value!r}{hint}: {_EXPECTED}")


def ranges_of(given: Ranges, names: Sequence[str]) -> tuple[SourceRange, ...]:
    """Reads the ranges of all sources.

    Args:
        given: one range for all of them; one per source, in their order; or a dict by name or by position from 0,
            where those left out are ``"full"``.
        names: of the sources.

    Returns:
        One per source.

    Raises:
        ConfigError: a range that is none, a name that no source has, or another number of them.
    """
    if isinstance(given, Mapping):
        places: dict[Any, int] = {name: number for number, name in enumerate(names)}
        places |= {key: number for number in range(len(names)) for key in (number, str(number)) if key not in places}
        found = [FULL] * len(names)
        for key, value in given.items():
            if key not in places:
                raise ConfigError(
                    f"range of {key!r}: no such source{nearest(str(key), names)}; they are {', '.join(names)}"
                )
            found[places[key]] = source_range(value)
        return tuple(found)
    if _is_one(given):
        return (source_range(given),) * len(names)
    listed = _listed(given)
    if len(listed) != len(names):
        raise ConfigError(f"range={given!r}: {len(listed)} ranges for {len(names)} sources ({', '.join(names)})")
    return tuple(map(source_range, listed))


def check_ranges(given: Ranges) -> None:
    """Reads each range of :func:`ranges_of`, before it is known which sources there are.

    Raises:
        ConfigError: one is none.
    """
    each = given.values() if isinstance(given, Mapping) else [given] if _is_one(given) else _listed(given)
    for value in each:
        source_range(value)


def _is_one(given: Any) -> bool:
    parts = _listed(given)
    return isinstance(given, str) or len(parts) < 2 or _is_number(parts[0]) or parts[0] == _PERCENTILES


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text.strip()


def _is_number(value: Any) -> bool:
    return type(value) is not bool and isinstance(value, Real) and math.isfinite(value)


def _ordered(value: Any, kind: Literal["numbers", "percentiles"], limits: Sequence[Any], expected: str) -> SourceRange:
    low, high = map(float, limits)
    if not low < high or (kind == "percentiles" and (low < 0 or high > 100)):
        raise ConfigError(f"range={value!r}: expected {expected}")
    return SourceRange(kind, low, high)
