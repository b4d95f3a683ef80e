"""The classes that a task tells apart."""

from __future__ import annotations

from collections.abc import Sequence

from metaloss.errors import ConfigError


def class_names(num_classes: int, names: Sequence[str] | None, *, least: int, purpose: str) -> tuple[str, ...]:
    """The names of the classes, made up where none are given.

    Args:
        num_classes: how many there are.
        names: as given, or ``None``.
        least: how many there have to be.
        purpose: what that is for, behind ``num_classes=1: ``.

    Returns:
        One name per class.

    Raises:
        ConfigError: too few classes, or another number of names.
    """
    if num_classes < least:
        raise ConfigError(f"num_classes={num_classes}: {purpose}")
    if names is not None and len(names) != num_classes:
        raise ConfigError(f"{len(names)} class names given for num_classes={num_classes}")
    return tuple(names or (f"class {number}" for number in range(num_classes)))
