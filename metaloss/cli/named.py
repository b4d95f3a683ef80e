"""``NAME=PATH``, as options take it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from metaloss.data.listing import is_pattern
from metaloss.errors import ConfigError

_SEPARATORS = ("/", "\\", "\0")


def named(texts: Sequence[str], option: str) -> dict[str, Path]:
    """Reads ``NAME=PATH``, or ``PATH``, whose own name stands in then.

    Args:
        texts: as given on the command line.
        option: which option it was, for messages.

    Returns:
        The paths by name, in the order given.

    Raises:
        ConfigError: no path, a name that is taken, or one that cannot be a file's name.
    """
    found: dict[str, Path] = {}
    for text in texts:
        name, path, _ = _read(text, option)
        if name in found:
            raise ConfigError(f"{option} {text}: the name {name!r} is taken; give another as NAME=PATH")
        found[name] = path
    return found


def named_parts(texts: Sequence[str], option: str) -> dict[str, tuple[Path, ...]]:
    """Reads the same, where several paths under one ``NAME=`` belong together, as a network's parts in several files.

    Args:
        texts: as given on the command line.
        option: which option it was, for messages.

    Returns:
        The paths by name, in the order given.

    Raises:
        ConfigError: as :func:`named`; or two paths whose own names are the same.
    """
    found: dict[str, tuple[Path, ...]] = {}
    given: dict[str, bool] = {}
    for text in texts:
        name, path, says_name = _read(text, option)
        if name in found and not (says_name and given[name]):
            raise ConfigError(
                f"{option} {text}: the name {name!r} is taken; give another as NAME=PATH, "
                "or the same to all parts of one"
            )
        if path in found.get(name, ()):
            raise ConfigError(f"{option} {text}: is there twice")
        found[name], given[name] = (*found.get(name, ()), path), says_name
    return found


def _read(text: str, option: str) -> tuple[str, Path, bool]:
    """The name, the path, and whether the name was given."""
    name, separator, place = text.partition("=")
    path = Path(place if separator else text)
    if not separator:
        name = path.parent.name if is_pattern(path) else path.stem if path.is_file() else path.name
    if separator and not place.strip():
        raise ConfigError(f"{option} {text}: no path after the name; expected NAME=PATH")
    if not name.strip() or name in (os.curdir, os.pardir) or any(mark in name for mark in _SEPARATORS):
        raise ConfigError(f"{option} {text}: expected NAME=PATH, with a name that a file can have")
    return name, path, bool(separator)
