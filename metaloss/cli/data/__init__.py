"""``metaloss data``."""

from __future__ import annotations

from collections.abc import Callable

import typer

from metaloss.cli.commands import summary
from metaloss.cli.data.check import check
from metaloss.cli.data.convert import convert
from metaloss.cli.data.listing import list_known


def _group() -> None:
    """Data sets: which are known, whether a training can read yours, and labels in the form that it reads."""


app = typer.Typer(
    name="data", help=_group.__doc__, short_help=summary(_group), no_args_is_help=True, rich_markup_mode=None
)
app.callback()(_group)
_COMMANDS: dict[str, Callable[..., None]] = {"list": list_known, "check": check, "convert": convert}
for _name, _command in _COMMANDS.items():
    app.command(_name, short_help=summary(_command))(_command)
