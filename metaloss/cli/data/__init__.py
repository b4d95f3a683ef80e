"""``metaloss data``."""

from __future__ import annotations

import typer

from metaloss.cli.data.check import check
from metaloss.cli.data.convert import convert
from metaloss.cli.data.listing import list_known

app = typer.Typer(
    name="data",
    help="Data sets: which are known, whether a training can read yours, and labels in the form that it reads.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """Data sets: which are known, whether a training can read yours, and labels in the form that it reads."""


app.command("list")(list_known)
app.command("check")(check)
app.command("convert")(convert)
