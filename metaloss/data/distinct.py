"""Short names that tell folders or patterns apart."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import PurePath

from metaloss.data.patterns import words


def distinct_names(places: Sequence[str | os.PathLike[str]]) -> tuple[str, ...]:
    """Names folders or patterns, all differently: as :func:`place_names` does, with a number where one repeats.

    Args:
        places: paths, as given.
    """
    return numbered(place_names(places))


def place_names(places: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Names folders or patterns by the last part of their paths in which all differ.

    ``("infrared/train", "visible/train")`` are ``infrared`` and ``visible``; ``("images/*_ir.png", "images/*_vi.png")``
    are ``ir`` and ``vi``. Where no one part tells them apart several are joined by ``_``.

    Args:
        places: paths, as given.

    Returns:
        One name each; those of equal places, and of what nothing tells apart, are equal.
    """
    given = [os.fspath(place) for place in places]
    unique = list(dict.fromkeys(given))
    named = dict(zip(unique, _apart([_parts(place) for place in unique]), strict=True))
    return [named[place] for place in given]


def numbered(names: Sequence[str]) -> tuple[str, ...]:
    """Puts a source's place behind names that repeat."""
    return tuple(f"{name} {number}" if names.count(name) > 1 else name for number, name in enumerate(names))


def _apart(parts: list[list[str]]) -> list[str]:
    while len(parts) > 1 and len({each[-1] for each in parts}) == 1 and min(map(len, parts)) > 1:
        parts = [each[:-1] for each in parts]
    depth = max(map(len, parts), default=0)
    ways = [
        *([each[-back] if back <= len(each) else "" for each in parts] for back in range(1, depth + 1)),
        *(["_".join(each[-back:]) for each in parts] for back in range(2, depth + 1)),
    ]
    for names in ways:
        if all(names) and len(set(names)) == len(names):
            return names
    return [each[-1] for each in parts]


def _parts(place: str) -> list[str]:
    path = PurePath(place)
    found = words(place) if glob.has_magic(place) else [part for part in path.parts if part not in (path.anchor, "..")]
    return found or [place or "."]
