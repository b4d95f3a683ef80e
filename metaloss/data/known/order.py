"""The order of names in which parts are taken: numbers count as numbers."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"([0-9]+)")


def natural(name: str) -> tuple[list[int | str], str]:
    """Makes a key that sorts ``"9"`` before ``"10"``, and capitals as small letters.

    Args:
        name: of a scene.
    """
    parts = _NUMBER.split(name.casefold())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name
