"""``metaloss data``."""

from __future__ import annotations

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
for _name, _command in {"list": list_known, "check": check, "convert": convert}.items():
    app.command(_name, short_help=summary(_command))(_command)
