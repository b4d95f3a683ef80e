"""What the sources of a data set are called."""

from __future__ import annotations

import os
from typing import Any

from metaloss.data.items import check_item
from metaloss.data.seeds import seeded
from metaloss.errors import DataError


def source_names(dataset: Any, count: int | None = None) -> tuple[str, ...]:
    """Names the sources of any data set: by its ``sources`` where it has as many names, else by number.

    Args:
        dataset: items with the keys of a ``FusionBatch``.
        count: n, how many sources an item has; default: as many as the data set names, else as its first item has.

    Returns:
        One name per source, ``"source 0"`` and so on where the data set names none.

    Raises:
        DataError: neither names nor an item to count.
    """
    given = getattr(dataset, "sources", None)
    named: tuple[str, ...] = ()
    if isinstance(given, (list, tuple)) and all(isinstance(name, (str, os.PathLike)) for name in given):
        named = tuple(map(str, given))
    if count is None and not named:
        if not len(dataset):
            raise DataError(f"{type(dataset).__name__}: has no items, and no `sources` that name what they would hold")
        with seeded(0):
            count = len(check_item(dataset[0])["sources"])
    return named if named and count in (None, len(named)) else tuple(f"source {number}" for number in range(count or 0))
