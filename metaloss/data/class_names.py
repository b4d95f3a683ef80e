"""The names of a data set's classes: given, or in a file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from metaloss.data.texts import read_text, read_yaml
from metaloss.errors import ConfigError, DataError

Classes = int | str | os.PathLike[str] | Sequence[str] | None
_FILES = ("classes.txt", "data.yaml", "data.yml")  # in the data's folder: a list of names, and what ultralytics leaves
_YAML = (".yaml", ".yml")
FILES_OF_NAMES = (".txt", ".names", *_YAML)


def class_names(root: Path, classes: Classes) -> tuple[str, ...]:
    """Finds the names of the classes.

    Args:
        root: the data's folder.
        classes: how many there are; or their names; or a file of them: text with one name per line, or ultralytics'
            ``data.yaml`` with ``names``, relative to ``root``, else to where Python runs, or absolute. ``None`` reads
            ``root/classes.txt`` or ``root/data.yaml`` where there is one.

    Returns:
        The names in the order of their ids; empty when unknown.

    Raises:
        ConfigError: a number below 1, no name, one name twice, or what is no name.
        DataError: the file cannot be read.
    """
    if classes is None:
        found = next((root / name for name in _FILES if (root / name).exists()), None)
        return () if found is None or _is_another(found) else _distinct(_read(found), f"{found}")
    if isinstance(classes, int):
        if isinstance(classes, bool) or classes < 1:
            raise ConfigError(f"classes={classes!r}: give a number of at least 1, names, or a file of names")
        return tuple(map(str, range(classes)))
    if isinstance(classes, (str, os.PathLike)):
        file = root / classes
        if not file.exists() and Path(classes).is_file():
            file = Path(classes)
        return _distinct(_read(file), f"{file}")
    names = list(classes)
    if isinstance(classes, Mapping) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"classes={classes!r}: give the names as texts, in the order of their ids")
    return _distinct(names, "classes")


def _is_another(path: Path) -> bool:
    """Whether a file that was not asked for is no list of classes: other programs have a data.yaml, too."""
    return path.suffix in _YAML and b"names:" not in path.read_bytes()


def _read(path: Path) -> list[str]:
    if path.suffix.lower() in _YAML and path.exists():
        return _of_yaml(path)
    return _of_lines(read_text(path, "one class name per line", "file of class names"))


def _of_lines(text: str) -> list[str]:
    """One name per line; some programs write the id in front of it."""
    names = [line.strip() for line in text.splitlines() if line.strip()]
    parts = [name.split(maxsplit=1) for name in names]
    numbered = all(len(part) == 2 and part[0].rstrip(":") == str(number) for number, part in enumerate(parts))
    return [part[1] for part in parts] if numbered else names


def _of_yaml(path: Path) -> list[str]:
    expected = "`names`, a list of names, or a mapping of the ids 0, 1, ... to names"
    content = read_yaml(path, expected)
    names = content.get("names") if isinstance(content, Mapping) else None
    if isinstance(names, Mapping):
        if set(names) != {str(number) for number in range(len(names))}:
            raise DataError(f"{path}: `names` has the ids {', '.join(map(str, names))}; expected {expected}")
        names = [names[str(number)] for number in range(len(names))]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{path}: no names of classes; expected {expected}")
    count = content.get("nc", str(len(names)))
    if count != str(len(names)):
        raise DataError(f"{path}: `nc` is {count}, and `names` has {len(names)}: correct one of them")
    return names


def _distinct(names: Sequence[str], where: str) -> tuple[str, ...]:
    if not names:
        raise ConfigError(f"{where}: no class names; give at least one")
    if len(set(names)) < len(names):
        raise ConfigError(f"{where}: class names are given twice among {', '.join(names)}; ids need one name each")
    return tuple(names)
