"""A run's settings, read from its config as text: nothing in it is run."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

Settings = dict[str, str]
"""By dotted name, as text."""

_NO_SETTINGS = ("settings", "work_dir")
_FIRST = ("model.", "train_cfg.")


def read_config(text: str) -> dict[str, Any]:
    """Reads the assignments of a config; what is no plain value stays text.

    Args:
        text: of a config that MMEngine has written.

    Raises:
        SyntaxError: it is not Python.
    """
    found: dict[str, Any] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = _value(node.value)
    return found


def _value(node: ast.expr) -> Any:
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):
        return {str(_value(key)): _value(item) for key, item in zip(node.keys, node.values, strict=True) if key}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args:
        return {str(keyword.arg): _value(keyword.value) for keyword in node.keywords}
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def flat(value: Any, name: str = "") -> Settings:
    """Names every value by its place, ``model.loss.alpha``; lists of plain values stay whole."""
    if isinstance(value, Mapping) and value:
        parts = [flat(item, f"{name}.{key}" if name else str(key)) for key, item in value.items()]
    elif isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value):
        parts = [flat(item, f"{name}.{number}") for number, item in enumerate(value)]
    elif isinstance(value, (list, tuple)):
        return {name: ", ".join(map(str, value)) or "none"}
    else:
        return {name: str(value)}
    return {key: text for part in parts for key, text in part.items()}


def of_config(config: Mapping[str, Any]) -> tuple[Settings, Settings]:
    """Sorts a config's values.

    Args:
        config: as :func:`read_config` gives it.

    Returns:
        Those that a reader asks for first: the settings at the config's top, its model and its training loop; and all
        others. What follows a setting at the top is left out where it has the same value.
    """
    places = config.get("settings", {})
    config = {name: value for name, value in config.items() if name not in _NO_SETTINGS}
    places = places if isinstance(places, Mapping) else {}
    everything = flat(config)
    following = {
        place: name
        for name, given in places.items()
        for place in ([given] if isinstance(given, str) else given if isinstance(given, list) else [])
    }
    told = {
        name: text for name, text in everything.items() if everything.get(following.get(name, ""), object()) != text
    }
    first = {name: text for name, text in told.items() if name.partition(".")[0] in places or name.startswith(_FIRST)}
    return first, {name: text for name, text in told.items() if name not in first}


def differing(runs: Sequence[Settings]) -> list[str]:
    """Names the settings in which some runs differ, those that only some have included; in the order of the runs."""
    names = dict.fromkeys(name for settings in runs for name in settings)
    return [name for name in names if len({settings.get(name) for settings in runs}) > 1]
