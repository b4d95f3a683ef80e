"""``--cfg-options``: read from text, checked, and put into a config."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from metaloss.data import Joined, PairedDataset, Tiles
from metaloss.data.class_names import FILES_OF_NAMES, class_names
from metaloss.engine.registry import DATASETS, HOOKS, INHERITED, LOG_PROCESSORS, LOOPS, METRICS, MODELS, VISUALIZERS
from metaloss.engine.settings import follow, places, set_at, set_everywhere, switched_off, value_at
from metaloss.errors import ConfigError, PluginError, nearest
from metaloss.losses import LearnableFusionLoss
from metaloss.plugins import find
from metaloss.tasks import MultiTask
from metaloss.training.learner import MetaLearner

_WORDS = {"true": True, "false": False, "none": None}
# what these build takes their settings; others take their own
_TAKERS: dict[str, Callable[..., Any]] = {
    "MetaLossModel": MetaLearner,
    "LearnableFusionLoss": LearnableFusionLoss,
    "MultiTask": MultiTask,
    "PairedDataset": PairedDataset,
    "KnownDataset": PairedDataset,  # whose options it takes beside its own, which all configs spell out
    "Joined": Joined,
    "Tiles": Tiles,
}
_RECORDS: dict[str, Any] = {"Task": "tasks", "FusionNetwork": "fusion_networks", "Generator": "loss_generators"}
_UNTYPED: dict[str, Callable[..., Any]] = {
    "train_dataloader": DataLoader,
    "val_dataloader": DataLoader,
    "test_dataloader": DataLoader,
    "randomness": Runner.set_randomness,
}
_GIVEN = {"self", "runner", "dataloader", "params", "optimizer", "args", "kwargs"}  # by whoever builds
_READ = {*inspect.signature(Runner).parameters, "runner_type", "custom_imports", "model_wrapper_cfg", "compile"} - {
    "cfg",
    "launcher",  # an option of the command itself
}


def parse_options(options: Sequence[str]) -> dict[str, Any]:
    """Reads ``key=value`` options.

    Values are Python literals where they can be, else text; ``1,2`` and ``[a,b]`` are lists, as in OpenMMLab.

    Raises:
        ConfigError: an option that is not ``key=value``.
    """
    parsed = {}
    for option in options:
        key, separator, value = option.partition("=")
        if not separator or not key:
            raise ConfigError(f"--cfg-options {option!r}: expected key=value")
        parsed[key] = _value(value.strip())
    return parsed


def _value(text: str) -> Any:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
    else:
        return list(value) if isinstance(value, tuple) and not text.startswith("(") else value
    inner = re.fullmatch(r"\((.*)\)|\[([^:]*)\]", text)  # [-20:] is text
    parts = _parts(text if inner is None else inner[1] or inner[2] or "")
    if inner is not None:
        return tuple(map(_value, parts)) if text.startswith("(") else [_value(part) for part in parts]
    return [_value(part) for part in parts] if len(parts) > 1 else _WORDS.get(text.lower(), text)


def _parts(text: str) -> list[str]:
    """What stands between the commas that are in no brackets and no quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        depth += (letter in "([{") - (letter in ")]}") if not quote else 0
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def override(config: Config, options: Mapping[str, Any]) -> None:
    """Puts options into a config: those without dots first, then those with.

    Raises:
        ConfigError: an option that would change nothing, or a value of another type than a setting has.
    """
    found = places(config)
    options = _with_names_of_classes(config, options) if found.get("classes") else options
    for key in sorted(options, key=lambda key: "." in key):
        value = options[key]
        if found.get(key):
            _check_type(config, key, value, found[key][0])
            set_everywhere(config, key, value)
            continue
        if "." in key:
            _check_dotted(config, key)
        elif switched_off(config, key):
            _check_type(config, key, value, key)
        elif key not in _READ and not isinstance(config.get(key), dict):
            raise ConfigError(_unused(config, key))
        if isinstance(value, dict):
            config.merge_from_dict({key: value})
        else:
            set_at(config, key, value)
        if found.get(head := key.partition(".")[0]):  # a part of a setting's value
            set_everywhere(config, head, config[head])
    follow(config)


def override_seed(config: Config, seed: int, options: Mapping[str, Any]) -> None:
    """Gives a config another seed, whether or not it has a setting for that.

    Raises:
        ConfigError: the options have one as well.
    """
    twice = [key for key in ("seed", "randomness.seed") if key in options]
    if twice:
        raise ConfigError(f"--seed {seed} and --cfg-options {twice[0]}={options[twice[0]]}: leave one of them out")
    if places(config).get("seed"):
        set_everywhere(config, "seed", seed)
    else:
        config.merge_from_dict({"randomness": {"seed": seed}})


def _with_names_of_classes(config: Config, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Reads ``classes=data.yaml``: the task takes the names as well, and knows nothing of the data's folder."""
    given, root = (options.get(name, config.get(name)) for name in ("classes", "data_root"))
    if not isinstance(given, str) or Path(given).suffix.lower() not in FILES_OF_NAMES:
        return options
    first = root if isinstance(root, str) or not root else root[0]
    return {**options, "classes": class_names(Path(first or ""), given)}


def _unused(config: Config, key: str) -> str:
    said = f"--cfg-options {key}: config {config.filename} "
    settings = {name: found for name, found in places(config).items() if found}
    if key in places(config):
        named = config.settings[key]
        return f"{said}has none of the places of {key!r}, {named if isinstance(named, str) else ', '.join(named)}"
    if key in config:
        return (
            f"{said}has {key!r}, and does not say where it acts: give the place itself, a.b.{key}=..., or write "
            f"settings = dict({key}='a.b.{key}')"
        )
    dotted = next((place for place in _places_of(config._cfg_dict) if place.endswith(f".{key}")), None)
    hint = nearest(key, [*settings, *_READ]) if dotted is None else f" (did you mean {dotted!r}?)"
    return f"{said}has no {key!r}{hint}; its settings are {', '.join(settings) or 'none'}"


def _places_of(part: Any, place: str = "") -> Iterator[str]:
    pairs = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for name, each in pairs:
        yield f"{place}{name}"
        yield from _places_of(each, f"{place}{name}.")


def _check_type(config: Config, name: str, new: Any, place: str) -> None:
    if name in ("range", "loggers"):  # a word, or several
        return
    old = config.get(name, value_at(config, place))
    number = isinstance(new, (int, float)) and not isinstance(new, bool)
    if isinstance(old, bool):
        fits, expected = isinstance(new, bool), "True or False"
    elif isinstance(old, int):
        fits, expected = number and not isinstance(new, float), "a whole number"
    elif isinstance(old, float):
        fits, expected = number, "a number"
    elif isinstance(old, (list, tuple)):  # one number stands for a square
        fits, expected = number or new is None or isinstance(new, (list, tuple)), "values in brackets"
    else:
        return
    if not fits:
        file = Path(config.filename).name
        raise ConfigError(f"--cfg-options {name}={new}: expected {expected}, as in {file} ({name} = {old})")


def _check_dotted(config: Config, key: str) -> None:
    part: Any = config._cfg_dict
    walked: list[str] = []
    for name in key.split("."):
        known = [str(index) for index in range(len(part))] if isinstance(part, list) else list(part)
        if name not in known:
            known += _options(part, walked)
        if name not in known:
            where = f" in {'.'.join(walked)}" if walked else ""
            raise ConfigError(
                f"--cfg-options {key}: config {config.filename} has no {name!r}{where}{nearest(name, known)}"
            )
        part = part[int(name)] if isinstance(part, list) else part.get(name)
        walked.append(name)
        if not isinstance(part, (dict, list)):
            part = {}


def _options(part: Any, walked: Sequence[str]) -> list[str]:
    """The settings of what a part of the config builds: a config need not spell them out to have them overridden."""
    if not isinstance(part, dict):
        return []
    taker = _taker(part, walked)
    known = [] if taker is None else [name for name in inspect.signature(taker).parameters if name not in _GIVEN]
    named = str(part.get("type")).removeprefix("metaloss.") == "FusionNetwork"
    return [*known, "weights"] if named else known


def _taker(part: Mapping[str, Any], walked: Sequence[str]) -> Callable[..., Any] | None:
    kind = part.get("type")
    if not isinstance(kind, str):
        return _UNTYPED.get(".".join(walked))
    kind = kind.removeprefix("metaloss.")
    if kind in _RECORDS:
        try:
            return find(_RECORDS[kind], str(part.get("name"))).load()
        except PluginError:
            return None
    if kind in _TAKERS:
        return _TAKERS[kind]
    with DefaultScope.overwrite_default_scope("metaloss"):
        for registry in (MODELS, DATASETS, LOOPS, HOOKS, METRICS, LOG_PROCESSORS, VISUALIZERS, *INHERITED):
            found: Callable[..., Any] | None = registry.get(kind)
            if found is not None:
                return found
    return None
