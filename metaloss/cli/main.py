"""The ``metaloss`` command."""

from __future__ import annotations

import re
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any

import typer

import metaloss
from metaloss.cli.commands import add_commands
from metaloss.cli.options import spread
from metaloss.errors import ConfigError, MetaLossError
from metaloss.runtime.interrupts import terminable

_INTERRUPTED = 130  # 128 and the number of the signal, as shells count
_COMMANDS = {
    "train": "train.train",
    "fuse": "fuse.fuse",
    "compare": "compare.compare",
    "evaluate": "evaluate.evaluate",
    "downstream": "downstream.downstream",
    "ablation": "ablation.ablation",
    "weights": "weights.weights",
    "info": "info.info",
    "export": "export.export_network",
    "list": "listing.list_everything",
    "doctor": "doctor.doctor",
    "config": "config.config",
    "data": "data.app",
    "report": "report.report",
}


def _app(arguments: Sequence[str]) -> typer.Typer:
    """Makes the command line, with the one command that is wanted: others may take seconds to import."""
    app = typer.Typer(
        name="metaloss",
        help="Learn the loss of an image fusion network by meta-learning, for any network and any task.",
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    add_commands(app, _COMMANDS, arguments)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"metaloss {metaloss.__version__}")
        raise typer.Exit


def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """Learn the loss of an image fusion network by meta-learning, for any network and any task."""


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line; exits with 0, or with 2 and one line on stderr; with 130 after Ctrl-C, 143 after SIGTERM.

    Args:
        arguments: default: the process's own.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [argument for argument in given if argument != "--debug"]
    with warnings.catch_warnings():
        if not debug:
            warnings.showwarning = _one_line
        try:
            _check_empty(given)
            with terminable():
                status: Any = _app(given)(spread(given), standalone_mode=False)
            if status == _INTERRUPTED:  # a newer Typer gives Ctrl-C back as this status, without a word
                status = _fail("interrupted", debug=False, code=_INTERRUPTED)
        except (typer.Abort, KeyboardInterrupt):
            status = _fail("interrupted", debug=False, code=_INTERRUPTED)
        except Exception as error:
            status = _help(error) if _is_help(error) else _fail(_words(error), debug)
    sys.exit(status if isinstance(status, int) else 0)


def _check_empty(arguments: list[str]) -> None:
    """Refuses arguments of nothing, as an unset variable of a shell leaves them: a path of "" is the current folder."""
    for before, argument in zip(["", *arguments], arguments, strict=False):
        if not argument.strip():
            place = f"after {before!r}" if before else "at the beginning"
            raise ConfigError(f"an empty argument {place}: give a value (a path of nothing would be this folder)")
        if re.fullmatch(r"--[\w-]+=\s*", argument):
            raise ConfigError(f"{argument.strip()} has no value: give one (a path of nothing would be this folder)")


def _words(error: Exception) -> str:
    if isinstance(error, MetaLossError):
        return str(error)
    if hasattr(error, "format_message"):  # a usage error, of click or of the copy of it inside Typer
        return f"{error.format_message()} (see --help)"
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror} (--debug shows where)"
    return f"{type(error).__name__}: {error} (--debug shows where)"


def _is_help(error: Exception) -> bool:
    """Whether nothing was asked of a command with commands of its own: then its help is what click raises."""
    return type(error).__name__ == "NoArgsIsHelpError"


def _help(error: Any) -> int:
    print(error.format_message(), file=sys.stderr)
    return 2


def _fail(message: str, debug: bool, code: int = 2) -> int:
    if debug:
        traceback.print_exc()
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return code


def _one_line(message: Warning | str, *_: Any, **__: Any) -> None:
    print("warning: " + " ".join(str(message).split()), file=sys.stderr)
