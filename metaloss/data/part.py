"""A part of a folder, by position: a split for data that brings no list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from metaloss.errors import ConfigError, DataError

Item = TypeVar("Item")
_SLICE = re.compile(r"\[\s*(-?\d+%?)?\s*:\s*(-?\d+%?)?\s*\]")
_EVERY = re.compile(r"\[\s*:\s*:\s*0*([1-9]\d*)\s*\]")


def part_of(items: Sequence[Item], split: str, where: str) -> list[Item]:
    """Takes a part of items in order.

    ``"[:80%]"`` and ``"[80%:]"`` together are all items, each once; so are ``"[:-4]"`` and ``"[-4:]"``. A
    percentage is rounded down: of two items or more, 80 % leave at least one out. ``"[::10]"`` is every tenth,
    beginning with the first.

    Args:
        items: what there is.
        split: ``"[start:stop]"`` as of a Python list, each a number of items or a percentage, or left out; or
            ``"[::step]"``.
        where: what the items are of, for messages.

    Returns:
        At least one item.

    Raises:
        ConfigError: another form.
        DataError: nothing is in this part.
    """
    every = _EVERY.fullmatch(split)
    found = _SLICE.fullmatch(split)
    if every is not None:
        part = list(items[:: int(every[1])])
    elif found is not None:
        start, stop = (None if edge is None else _position(edge, len(items)) for edge in found.groups())
        part = list(items[start:stop])
    else:
        raise ConfigError(
            f"split={split!r}: expected a part such as '[:80%]', '[-4:]' or '[::10]', or the name of a text file"
        )
    if not part:
        raise DataError(f"{where}: nothing of its {len(items)} scenes is in the part {split}")
    return part


def _position(edge: str, count: int) -> int:
    if not edge.endswith("%"):
        return int(edge)
    share = int(edge[:-1])
    return share * count // 100 if share >= 0 else count - (-share * count // 100)
