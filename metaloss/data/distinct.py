"""Short names that tell folders or patterns apart."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import PurePath

from metaloss.data.patterns import words


def distinct_names(places: Sequence[str | os.PathLike[str]]) -> tuple[str, ...]:
    """Names folders or patterns by the last part of their paths in which all differ.

    ``("infrared/train", "visible/train")`` are ``infrared`` and ``visible``; ``("images/*_ir.png", "images/*_vi.png")``
    are ``ir`` and ``vi``. Where no one part tells them apart several are joined by ``_``; where nothing does they are
    numbered.

    Args:
        places: paths, as given.

    Returns:
        One name each, all different.
    """
    parts = [_parts(os.fspath(place)) for place in places]
    while len({each[-1] for each in parts}) == 1 and min(map(len, parts)) > 1:
        parts = [each[:-1] for each in parts]
    depth = max(map(len, parts), default=0)
    ways = [
        *([each[-back] if back <= len(each) else "" for each in parts] for back in range(1, depth + 1)),
        *(["_".join(each[-back:]) for each in parts] for back in range(2, depth + 1)),
    ]
    for names in ways:
        if all(names) and len(set(names)) == len(names):
            return tuple(names)
    return tuple(f"{each[-1]} {number}" for number, each in enumerate(parts))


def _parts(place: str) -> list[str]:
    path = PurePath(place)
    found = words(place) if glob.has_magic(place) else [part for part in path.parts if part not in (path.anchor, "..")]
    return found or [place or "."]
