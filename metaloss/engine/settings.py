"""The settings at the top of a config, and the places where they act.

``settings = dict(max_epochs="train_cfg.max_epochs", lr=["optim_wrapper.fusion.optimizer.lr", ...])`` is plain data
beside ``max_epochs = 50`` and ``train_cfg = dict(max_epochs=50)``: a training takes what stands in the places, and
``--cfg-options max_epochs=20`` sets them all. Places that a config does not have are passed over.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from metaloss.errors import ConfigError

ABSENT: Any = object()


def places(config: Config) -> dict[str, list[str]]:
    """Per setting the places that the config has.

    Raises:
        ConfigError: ``settings`` is not of the form above.
    """
    return {
        name: [place for place in given if value_at(config, place) is not ABSENT]
        for name, given in _written(config).items()
    }


def value_at(config: Config, place: str) -> Any:
    """What stands at ``"model.loss.alpha"``, say; ``ABSENT`` where nothing does."""
    part: Any = config._cfg_dict
    for name in place.split("."):
        if isinstance(part, Mapping) and name in part:
            part = part[name]
        elif isinstance(part, (list, tuple)) and name.isdigit() and int(name) < len(part):
            part = part[int(name)]
        else:
            return ABSENT
    return part


def switched_off(config: Config, name: str) -> bool:
    """Whether a setting's places are in a part that the config has put to ``None``: there is no validation, say."""
    return any(
        value_at(config, ".".join(steps[:count])) is None
        for steps in (place.split(".") for place in _written(config).get(name, ()))
        for count in range(1, len(steps))
    )


def set_at(config: Config, place: str, value: Any) -> None:
    """Puts a value at a place, in a dict or list that is there."""
    holder, _, last = place.rpartition(".")
    part = value_at(config, holder) if holder else config._cfg_dict
    part[int(last) if isinstance(part, list) else last] = value


def set_everywhere(config: Config, name: str, value: Any) -> None:
    """Gives a setting a value, at the top and in each of its places."""
    for place in [*places(config)[name], name]:
        set_at(config, place, copy.deepcopy(value))


def check(config: Config, inherited: Mapping[str, Any], path: Path) -> None:
    """Refuses a setting that the file changes at the top alone, where MMEngine would pass over it in silence.

    Args:
        config: as MMEngine reads it.
        inherited: the values at the top of the files that it builds on.
        path: of its file.

    Raises:
        ConfigError: saying what to write.
    """
    for name, found in places(config).items():
        value = config.get(name, ABSENT)
        wrong = [place for place in found if not _same(value_at(config, place), value)]
        if value is ABSENT or not wrong or (name in inherited and _same(inherited[name], value)):
            continue
        raise ConfigError(
            f"config {path}: {name} = {value!r} changes nothing by itself, {wrong[0]} is "
            f"{value_at(config, wrong[0])!r}: write {_statements(wrong, value)}, too"
        )


def follow(config: Config) -> None:
    """Brings settings up to date with their places, which are what a training takes.

    Where no place of a setting has its value, that of the first place is the setting's. A place that has a value of its
    own is no longer a place of the setting: task and fusion network may have rates of their own, say.
    """
    for name, found in places(config).items():
        if name not in config or not found:
            continue
        values = {place: value_at(config, place) for place in found}
        first = values[found[0]]
        if all(_same(value, first) for value in values.values()):
            if not _same(config[name], first):
                config[name] = copy.deepcopy(first)
            continue
        if not any(_same(value, config[name]) for value in values.values()):
            config[name] = copy.deepcopy(first)
        apart = [place for place, value in values.items() if not _same(value, config[name])]
        if apart:
            config.settings[name] = [place for place in _written(config)[name] if place not in apart]


def _written(config: Config) -> dict[str, list[str]]:
    given = config.get("settings") or {}
    lists = {
        name: [each] if isinstance(each, str) else each
        for name, each in (given.items() if isinstance(given, Mapping) else ())
    }
    texts = [place for each in lists.values() for place in (each if isinstance(each, (list, tuple)) else [None])]
    if not isinstance(given, Mapping) or not all(isinstance(place, str) for place in texts):
        raise ConfigError(
            f"config {config.filename}: settings = {_plain(given)!r}: expected a dict of names with their places, "
            "such as dict(max_epochs='train_cfg.max_epochs')"
        )
    return {name: list(each) for name, each in lists.items()}


def _same(one: Any, other: Any) -> bool:
    return bool(_plain(one) == _plain(other))


def _plain(value: Any) -> Any:
    """Tuples and lists alike, as YAML has no tuples."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def _statements(places: Sequence[str], value: Any) -> str:
    """What a config writes to have a value in some places: ``train_cfg = dict(max_epochs=5)``."""
    tree: dict[str, Any] = {}
    for place in places:
        *holders, last = place.split(".")
        part = tree
        for holder in holders:
            part = part.setdefault(holder, {})
        part[last] = repr(value)
    return " and ".join(f"`{name} = {_text(part)}`" for name, part in tree.items())


def _text(part: dict[str, Any] | str) -> str:
    return (
        part if isinstance(part, str) else f"dict({', '.join(f'{name}={_text(each)}' for name, each in part.items())})"
    )
