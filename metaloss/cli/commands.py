"""The commands of ``metaloss``, found and described without importing those that are not wanted."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

_COMPLETED = ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")
"""Where a shell's completion, as Typer writes it, gives the words on the line: Bash, and the others."""


def add_commands(app: typer.Typer, places: Mapping[str, str], arguments: Sequence[str]) -> None:
    """Adds the command that is wanted; where none is, all of them, by name and description alone.

    Args:
        app: the whole command line.
        places: per command its module in this package, and its function or Typer app there: ``"train.train"``.
        arguments: of the command line; where there are none, the words that a shell asks to complete count.
    """
    wanted = next((word for word in arguments or _completed() if not word.startswith("-")), "")
    for name in [wanted] if wanted in places else places:
        command = _loaded(places[name]) if wanted in places else _described(name, places[name])
        if isinstance(command, typer.Typer):
            app.add_typer(command)
        else:
            app.command(name, short_help=summary(command))(command)


def summary(command: Callable[..., Any]) -> str:
    """The first paragraph of a command's docstring: given as it is, no list of commands cuts it."""
    return " ".join((inspect.getdoc(command) or "").partition("\n\n")[0].split())


def _completed() -> list[str]:
    return next((os.environ[name].split()[1:] for name in _COMPLETED if name in os.environ), [])


def _loaded(place: str) -> Any:
    module, _, name = place.partition(".")
    return getattr(importlib.import_module(f"metaloss.cli.{module}"), name)


def _described(name: str, place: str) -> Any:
    """Something with the command's docstring, which is read and not run: its imports may take seconds."""
    module, _, function = place.partition(".")
    found = importlib.util.find_spec(f"metaloss.cli.{module}")
    if found is None or found.origin is None:
        return _loaded(place)
    for node in ast.parse(Path(found.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:

            def command() -> None: ...

            command.__doc__ = ast.get_docstring(node)
            return command
    return _loaded(place)
