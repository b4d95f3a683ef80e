"""Finds and reads configs: MMEngine's, with overrides."""

from __future__ import annotations

import gc
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config

from metaloss.configs import shipped_configs
from metaloss.engine.bases import FOLDER, OURS, find_base
from metaloss.engine.overrides import override, override_seed
from metaloss.engine.settings import check, follow
from metaloss.errors import ConfigError, MetaLossError, nearest


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


def load_config(config: str, options: Mapping[str, Any] | None = None, seed: int | None = None) -> Config:
    """Reads a config as MMEngine does, and overrides values.

    While it is read, the modules in its folder can be imported, for its ``custom_imports``.

    Args:
        config: a path, or the name of a shipped config.
        options: values by key. A key without dots is one of the config's ``settings``, and acts in all places that
            these name, or one of MMEngine's own, ``load_from`` say. A key with dots changes one place.
        seed: of the training, instead of the config's.

    Returns:
        The config.

    Raises:
        ConfigError: no such config, one that cannot be run or that sets what does not act, or an option that would
            change nothing.
    """
    path = find_config(config)
    with _reading(path):
        inherited = _inherited(path)
        loaded = Config.fromfile(str(path))
        check(loaded, inherited, path)
    follow(loaded)
    override(loaded, options or {})
    if seed is not None:
        override_seed(loaded, seed, options or {})
    return loaded


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    except MetaLossError as error:
        _close_files(error)
        raise
    except SystemExit as error:
        _close_files(error)
        raise ConfigError(f"config {path}: ends the process with sys.exit({error.code!r})") from None
    except Exception as error:  # a config is code, and may raise anything
        _close_files(error)
        raise ConfigError(f"config {path}: {_in_one_line(error)}") from error
    finally:
        sys.path.remove(folder)


def _close_files(error: BaseException | None) -> None:
    """Closes the copy of a config that MMEngine leaves open, and an error's frames keep, when it cannot be read."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def _in_one_line(error: BaseException) -> str:
    advice = ""
    while isinstance(error, ImportError) and error.__context__ is not None:  # MMEngine tells the whole of sys.path
        error, advice = error.__context__, "; a module lies beside the config, or on PYTHONPATH"
    return f"{type(error).__name__}: {' '.join(str(error).split())}{advice}"


def _inherited(path: Path) -> dict[str, Any]:
    """The values at the top of the files that a config builds on, which are checked as well; none of a shipped one."""
    values: dict[str, Any] = {}
    for base in [] if FOLDER in path.parents else _bases(path):
        read = Config.fromfile(str(base), import_custom_modules=False)
        check(read, _inherited(base), base)
        values.update(read._cfg_dict)
    return values


def _bases(path: Path) -> list[Path]:
    try:
        names = Config._get_base_files(str(path))
    except SyntaxError:  # with MMEngine's {{ placeholders }} in it, or wrong: MMEngine says which
        return []
    found = []
    for name in names:
        if "{{" in name:
            continue
        base = Path(find_base(name, str(path))[0])
        if not base.is_file():
            known = [f"{OURS}{file.relative_to(FOLDER).as_posix()}" for file in FOLDER.glob("*/*.py")]
            ours = next((file for file in known if Path(file).name == base.name), "")
            hint = f"; write {ours!r} for the one that metaloss brings" if ours else nearest(name, known)
            raise ConfigError(f"config {path}: builds on {name!r}, and there is no file {base}{hint}")
        found.append(base)
    return found
