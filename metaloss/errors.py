"""The errors of metaloss.

Every message says what was given (file, key, shape), what was expected, and the nearest fix.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from numbers import Integral
from typing import Any, TypeVar

Choice = TypeVar("Choice")


class MetaLossError(Exception):
    """The base of every error that metaloss raises on purpose."""


class ConfigError(MetaLossError):
    """A setting, a configuration file or an argument cannot be used as given."""


class DataError(MetaLossError):
    """A file or folder of the data is missing, unreadable or inconsistent."""


class PluginError(MetaLossError):
    """A plug-in, or a record of one, cannot be found, loaded or told from another."""


class ShapeError(MetaLossError):
    """A tensor has not the shape, or two tensors have not the same shape, that was expected."""


class MetaGradientError(MetaLossError):
    """The meta-gradient is missing, zero or not finite, or cannot be computed by the method asked for."""


class CheckpointError(MetaLossError):
    """A checkpoint is missing, unreadable, or belongs to another network."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Says which of the known names is closest to a mistyped one; capitals do not count.

    Args:
        name: what was given.
        known: the names that would have been right.

    Returns:
        ``" (did you mean 'x'?)"``, or an empty string when nothing is close.
    """
    folded = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return f" (did you mean {folded[close[0]]!r}?)" if close else ""


def at_least(name: str, number: Any, least: int, call: str = "") -> None:
    """Checks a count.

    Args:
        name: of the setting, as its user writes it.
        number: what was given.
        least: the smallest that there can be.
        call: the function that it was given to, where its name alone may not tell.

    Raises:
        ConfigError: anything but a whole number of at least that.
    """
    if isinstance(number, bool) or not isinstance(number, Integral) or number < least:
        given = f"{call}({name}={number!r})" if call else f"{name}={number!r}"
        raise ConfigError(f"{given}: expected a whole number of at least {least}")


def one_of(name: str, value: Choice, known: Iterable[Any]) -> Choice:
    """Checks a choice, and gives it back.

    Args:
        name: of the setting, as its user writes it.
        value: what was given.
        known: what can be chosen.

    Raises:
        ConfigError: something else.
    """
    known = tuple(known)
    if value not in known:
        raise ConfigError(f"{name}={value!r}: choose one of {known}")
    return value
