"""The names of a data set's classes: given, or in a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from metaloss.errors import ConfigError, DataError, nearest


def class_names(root: Path, classes: int | str | os.PathLike[str] | Sequence[str] | None) -> tuple[str, ...]:
    """Finds the names of the classes.

    Args:
        root: the data's folder.
        classes: how many there are, or their names, or a text file with one name per line, relative to ``root`` or
            absolute; ``None`` reads ``root/classes.txt`` where there is one.

    Returns:
        The names in the order of their ids; empty when unknown.

    Raises:
        ConfigError: a number below 1, no name, or one name twice.
        DataError: the file cannot be read.
    """
    if classes is None:
        classes = root / "classes.txt"
        if not classes.exists():
            return ()
    if isinstance(classes, int):
        if isinstance(classes, bool) or classes < 1:
            raise ConfigError(f"classes={classes!r}: give a number of at least 1, names, or a file of names")
        return tuple(map(str, range(classes)))
    if isinstance(classes, (str, os.PathLike)):
        return _distinct(_read_names(root / classes), f"{root / classes}")
    return _distinct(list(classes), "classes")


def _read_names(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        known = [file.name for file in path.parent.glob("*.txt")]
        raise DataError(f"{path}: no such file of class names{nearest(path.name, known)}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text; expected one class name per line, in UTF-8") from error
    return [line.strip() for line in lines if line.strip()]


def _distinct(names: Sequence[str], where: str) -> tuple[str, ...]:
    if not names:
        raise ConfigError(f"{where}: no class names; give at least one")
    if len(set(names)) < len(names):
        raise ConfigError(f"{where}: class names are given twice among {', '.join(names)}; ids need one name each")
    return tuple(names)
