"""Finds a config, and lets settings given on the command line hold everywhere the config uses them."""

from __future__ import annotations

import ast
import inspect
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

import metaloss.configs
from metaloss.configs import shipped_configs
from metaloss.errors import ConfigError, MetaLossError, nearest
from metaloss.losses import LearnableFusionLoss
from metaloss.training.learner import MetaLearner

_OURS = "metaloss::"


def find_config(config: str) -> Path:
    """Takes a path, or the name of a shipped config.

    Raises:
        ConfigError: neither.
    """
    known = shipped_configs()
    if config in known:
        return known[config]
    path = Path(config)
    if path.is_file():
        return path
    raise ConfigError(
        f"config {config!r} is neither a file nor the name of a shipped config"
        f"{nearest(config, known)}: choose one of {', '.join(known)}, or give a path"
    )


def parse_options(options: Sequence[str]) -> dict[str, Any]:
    """Reads ``key=value`` options; values as Python literals where they are, else as text.

    Raises:
        ConfigError: an option that is not ``key=value``.
    """
    parsed = {}
    for option in options:
        key, separator, value = option.partition("=")
        if not separator or not key:
            raise ConfigError(f"--cfg-options {option!r}: expected key=value, one option each")
        try:
            parsed[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            parsed[key] = {"true": True, "false": False, "none": None}.get(value.lower(), value)
    return parsed


def load_config(config: str, options: Mapping[str, Any] | None = None) -> Config:
    """Reads a config with settings overridden.

    A key without dots is a setting of the config file, or of one that it builds on: its value is
    replaced before the file is run, so it holds wherever the file uses it. A setting that a
    file assigns itself, a number or text, holds in the same way in the configs it builds on. A
    key with dots changes one place of the result.

    Args:
        config: a path, or the name of a shipped config.
        options: values by key.

    Returns:
        The config.

    Raises:
        ConfigError: no such config, a config that cannot be run, or a key that it does not have.
    """
    path = find_config(config)
    options = dict(options or {})
    settings = {key: value for key, value in options.items() if "." not in key}
    used: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        try:
            rewritten = _rewrite(path.resolve(), settings, used, Path(folder), "0")
            loaded = Config.fromfile(rewritten)
        except MetaLossError:
            raise
        except Exception as error:  # a config is code, and may raise anything
            raise ConfigError(f"config {path}: {type(error).__name__}: {error}") from error
    object.__setattr__(loaded, "_filename", str(path))
    for key in options:
        if key not in used:
            _check_key(loaded, key, path)
    loaded.merge_from_dict({key: value for key, value in options.items() if key not in used})
    return loaded


def _rewrite(path: Path, settings: Mapping[str, Any], used: set[str], folder: Path, number: str) -> Path:
    """Copies a config, and those it builds on, into a folder, with settings replaced."""
    source = _source(path)
    assignments = list(_assignments(ast.parse(source, filename=str(path))))
    inherited = {**_plain_settings(assignments), **settings}
    replacements: list[tuple[ast.expr, str]] = []
    for target, value in assignments:
        if target == "_base_":
            bases = ast.literal_eval(value)
            names = [bases] if isinstance(bases, str) else list(bases)
            copies = [_base(path, name, inherited, used, folder, f"{number}_{k}") for k, name in enumerate(names)]
            replacements.append((value, repr(copies)))
        elif target in settings:
            _check_type(path, target, value, settings[target])
            replacements.append((value, repr(settings[target])))
            used.add(target)
    place = folder / number
    place.mkdir()
    copy = place / path.name
    copy.write_text(_replaced(source, replacements), encoding="utf-8")
    return copy


def _plain_settings(assignments: Sequence[tuple[str, ast.expr]]) -> dict[str, Any]:
    """A file's own settings, numbers and text: they hold in the configs that it builds on, too."""
    settings = {}
    for name, expression in assignments:
        try:
            value = ast.literal_eval(expression)
        except ValueError:
            continue
        if name != "_base_" and not isinstance(value, (dict, list)):
            settings[name] = value
    return settings


def _source(path: Path) -> str:
    """A config's text, in which MMEngine's words for the file's own place mean the original's."""
    own = {"fileDirname": str(path.parent), "fileBasename": path.name, "fileBasenameNoExtension": path.stem}
    source = path.read_text(encoding="utf-8")
    return re.sub(r"{{\s*(\w+)\s*}}", lambda found: own.get(found[1], found[0]), source)


def _base(path: Path, name: str, settings: Mapping[str, Any], used: set[str], folder: Path, number: str) -> str:
    if "::" in name and not name.startswith(_OURS):
        return name
    folder_of_ours = Path(metaloss.configs.__path__[0])
    base = (folder_of_ours / name.removeprefix(_OURS) if name.startswith(_OURS) else path.parent / name).resolve()
    if not base.is_file():
        known = [f"{_OURS}{file.relative_to(folder_of_ours).as_posix()}" for file in folder_of_ours.glob("*/*.py")]
        ours = next((file for file in known if Path(file).name == base.name), "")
        hint = f"; write {ours!r} for the one that metaloss brings" if ours else nearest(name, known)
        raise ConfigError(f"config {path}: builds on {name!r}, and there is no file {base}{hint}")
    return str(_rewrite(base, settings, used, folder, number))


def _assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value


def _replaced(source: str, replacements: Sequence[tuple[ast.expr, str]]) -> str:
    lines = source.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    content = source.encode()
    for node, text in sorted(replacements, key=lambda pair: (-pair[0].lineno, -pair[0].col_offset)):
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        content = content[:begin] + text.encode() + content[end:]
    return content.decode()


def _check_type(path: Path, name: str, old: ast.expr, new: Any) -> None:
    try:
        value = ast.literal_eval(old)
    except ValueError:  # computed: whatever its use makes of it
        return
    number = isinstance(new, (int, float)) and not isinstance(new, bool)
    if isinstance(value, bool):
        fits, expected = isinstance(new, bool), "True or False"
    elif isinstance(value, int):
        fits, expected = number and not isinstance(new, float), "a whole number"
    elif isinstance(value, float):
        fits, expected = number, "a number"
    elif isinstance(value, (list, tuple)):  # one number stands for a square
        fits, expected = number or new is None or isinstance(new, (list, tuple)), "values in brackets"
    else:
        return
    if not fits:
        raise ConfigError(f"--cfg-options {name}={new}: expected {expected}, as in {path.name} ({name} = {value})")


def _check_key(config: Config, key: str, path: Path) -> None:
    part: Any = config._cfg_dict
    walked: list[str] = []
    for name in key.split("."):
        known = [str(index) for index in range(len(part))] if isinstance(part, list) else [*part, *_options(part)]
        if name not in known:
            where = f" in {'.'.join(walked)}" if walked else ""
            raise ConfigError(f"--cfg-options {key}: config {path} has no {name!r}{where}{nearest(name, known)}")
        part = part[int(name)] if isinstance(part, list) else part.get(name)
        walked.append(name)
        if not isinstance(part, (dict, list)):
            part = {}


def _options(part: Mapping[str, Any]) -> list[str]:
    """Settings of the learner and of the fusion loss, which a config need not spell out to have them overridden."""
    takers = {"MetaLossModel": (MetaLearner,), "LearnableFusionLoss": (LearnableFusionLoss,)}
    found = takers.get(str(part.get("type", "")).removeprefix("metaloss."), ())
    return [name for taker in found for name in inspect.signature(taker).parameters]
