"""A network that is built in a script: ``FILE.py:FUNCTION``."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from metaloss.errors import ConfigError, nearest


def is_script(text: str) -> bool:
    """Whether it names a file of Python, and not a registered network."""
    return re.search(r"\.py(:|$)", text) is not None


def check_script(text: str, option: str) -> tuple[Path, str]:
    """Reads ``FILE.py:FUNCTION``; nothing is run yet.

    Args:
        text: as given.
        option: which option it was, for messages.

    Returns:
        The file and the function's name.

    Raises:
        ConfigError: no function is named, or there is no such file.
    """
    place, colon, name = text.rpartition(":")
    if not colon or place.endswith(":") or not name.isidentifier():
        raise ConfigError(f"{option} {text}: name the function that builds the network, as FILE.py:FUNCTION")
    file = Path(place)
    if not file.is_file():
        near = [each.name for each in file.parent.glob("*.py")] if file.parent.is_dir() else []
        raise ConfigError(f"{option} {text}: there is no file {file}{nearest(file.name, near)}")
    return file, name


def build_from_script(text: str, option: str) -> nn.Module:
    """Runs a script and calls the function in it that builds a network.

    Args:
        text: ``FILE.py:FUNCTION``; the function takes no arguments and returns an ``nn.Module``.
        option: which option it was, for messages.

    Raises:
        ConfigError: it cannot be run, has no such function, or that returns something else.
    """
    file, name = check_script(text, option)
    with _importable(file.resolve().parent):
        module = _run(file, f"{option} {text}")
        build: Any = getattr(module, name, None)
        if not callable(build):
            known = [key for key, value in vars(module).items() if inspect.isroutine(value) or inspect.isclass(value)]
            raise ConfigError(f"{option} {text}: {file} has no function {name!r}{nearest(name, known)}")
        needed = _needed(build)
        if needed:
            raise ConfigError(
                f"{option} {text}: {name} wants {', '.join(needed)}: give a function without arguments that returns "
                "the network"
            )
        network = _guarded(build, f"{option} {text}: {name}()")
    if not isinstance(network, nn.Module):
        raise ConfigError(f"{option} {text}: {name}() returned {type(network).__name__}: expected the network")
    return network


def _run(file: Path, words: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"metaloss_script_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{words}: {file} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its classes look there for their own module
    loader = spec.loader
    _guarded(lambda: loader.exec_module(module), f"{words}: {file}")
    return module


def _guarded(call: Any, words: str) -> Any:
    try:
        return call()
    except (Exception, SystemExit) as error:  # whatever a script may do
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"{words} fails with {type(error).__name__}: {reason} (--debug shows where)") from error


def _needed(build: Any) -> list[str]:
    """The arguments that have no default."""
    try:
        parameters = inspect.signature(build).parameters.values()
    except (TypeError, ValueError):
        return []
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each.name for each in parameters if each.default is each.empty and each.kind not in variable]


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Lets what runs import the files of a folder, as a script started there could."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
