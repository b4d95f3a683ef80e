"""Data that lies in several folders of one form, as one data set."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from metaloss.data.distinct import distinct_names
from metaloss.data.pairing import Pair
from metaloss.errors import ConfigError


def joined_roots(roots: Sequence[str | os.PathLike[str]], parts: Sequence[Any]) -> dict[str, Any]:
    """Puts the scenes of several roots one after another.

    Args:
        roots: the folders.
        parts: a :class:`metaloss.data.PairedDataset` of each.

    Returns:
        The attributes of a data set of all.

    Raises:
        ConfigError: no root, one twice, or different classes, or some with boxes and some without.
    """
    if not parts:
        raise ConfigError("root=[]: no folder; give one or several")
    twice, times = Counter(map(os.path.realpath, roots)).most_common(1)[0]
    if times > 1:
        raise ConfigError(f"root: {twice} is given {times} times; give each folder once")
    first = parts[0]
    for root, part in zip(roots, parts, strict=True):
        if part.choice != first.choice:
            raise ConfigError(
                f"{root} has the classes {_shown(part)}, and {roots[0]} {_shown(first)}: give classes= for all of them"
            )
        if (part.annotations is None) != (first.annotations is None):
            raise ConfigError(f"{roots[0]} and {root}: labels of boxes and labels of pixels; say which with labels=")
    boxes = None if first.annotations is None else [each for part in parts for each in part.annotations]
    return {**vars(first), "pairs": _renamed(roots, [part.pairs for part in parts]), "annotations": boxes}


def _shown(part: Any) -> str:
    return ", ".join(part.choice.known or part.classes) or "unknown"


def _renamed(roots: Sequence[str | os.PathLike[str]], scenes: Sequence[Sequence[Pair]]) -> list[Pair]:
    """All scenes; where names repeat, each begins with what its root is called."""
    known = Counter(pair.name for pairs in scenes for pair in pairs)
    found = [
        pair if known[pair.name] == 1 else replace(pair, name=f"{prefix}_{pair.name}")
        for prefix, pairs in zip(distinct_names(roots), scenes, strict=True)
        for pair in pairs
    ]
    name, times = Counter(pair.name for pair in found).most_common(1)[0]
    if times > 1:
        raise ConfigError(f"root: {times} scenes of {', '.join(map(str, roots))} would be called {name!r}: rename one")
    return found
