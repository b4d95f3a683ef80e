"""Names of the classes that a folder of labels brings along."""

from __future__ import annotations

from pathlib import Path

from metaloss.data.class_names import class_names

_FILES = ("classes.txt", "obj.names", "data.yaml")
_LEVELS = 3  # labels/train/ lies two below data.yaml


def names_beside(source: Path) -> tuple[tuple[str, ...], Path | None]:
    """Finds the names of classes that are known by number: in the labels' folder, or in one of the two above it.

    Args:
        source: the labels' folder, or a file in it.

    Returns:
        The names in the order of their ids, and the file; nothing and ``None`` without such a file.

    Raises:
        DataError: the file cannot be read.
        ConfigError: it has no name in it, or one twice.
    """
    folder = source.absolute() if source.is_dir() else source.absolute().parent
    for place in [folder, *folder.parents][:_LEVELS]:
        for name in _FILES:
            if (place / name).is_file():
                return read_names(place / name), place / name
    return (), None


def read_names(path: Path) -> tuple[str, ...]:
    """Reads names of classes: one per line, or a ``data.yaml``.

    Args:
        path: the file.

    Returns:
        The names in the order of their ids.

    Raises:
        DataError: the file cannot be read.
        ConfigError: it has no name in it, or one twice.
    """
    return class_names(path.absolute().parent, path.absolute())
