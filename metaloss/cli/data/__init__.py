"""``metaloss data``."""

from __future__ import annotations

import typer

from metaloss.cli.data.convert import convert

app = typer.Typer(
    name="data",
    help="Prepare data sets: labels that people have to what training reads.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """Prepare data sets: labels that people have to what training reads."""


app.command("convert")(convert)
