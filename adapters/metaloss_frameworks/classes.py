"""The classes that a task tells apart."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from metaloss.data.class_names import class_names as names_in
from metaloss.errors import ConfigError


def class_names(
    num_classes: int | None,
    names: Sequence[str] | str | os.PathLike[str] | int | None,
    *,
    least: int,
    purpose: str,
) -> tuple[str, ...]:
    """The names of the classes, made up where none are given.

    Args:
        num_classes: how many there are; ``None``: as many as have names.
        names: as given, or how many, or a file of them as data sets read it, or ``None``.
        least: how many there have to be.
        purpose: what that is for, behind ``num_classes=1: ``.

    Returns:
        One name per class.

    Raises:
        ConfigError: neither is given, too few classes, another number of names, or no such file.
        DataError: the file cannot be read.
    """
    if isinstance(names, (str, os.PathLike)):
        if not Path(names).is_file():
            raise ConfigError(
                f"classes={str(names)!r}: no such file here, and a task does not look in the data's folder: give the "
                "names, or how many there are"
            )
        names = names_in(Path(), names)
    given = num_classes if names is None else names if isinstance(names, int) else len(names)
    count = given if num_classes is None else num_classes
    if count is None:
        raise ConfigError(f"neither num_classes nor classes is given: {purpose}")
    if count < least:
        raise ConfigError(f"num_classes={count}: {purpose}")
    if given != count:
        raise ConfigError(f"{given} class names given for num_classes={count}")
    if names is None or isinstance(names, int):
        return tuple(f"class {number}" for number in range(count))
    return tuple(names)
