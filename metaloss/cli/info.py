"""``metaloss info``."""

from __future__ import annotations

from pathlib import Path

import typer

from metaloss.errors import CheckpointError, nearest
from metaloss.inference.pretrained import card_of, shipped_weights
from metaloss.report.file_contents import lines_of


def info(
    file: Path = typer.Argument(
        metavar="FILE", help="A file of weights, or the name of those that come with metaloss: ivif, say."
    ),
) -> None:
    """Say what a file of weights holds, and how it is used next. Nothing in it is run."""
    shipped = shipped_weights()
    path = file if file.exists() else shipped.get(str(file), file)
    if not path.exists():
        raise CheckpointError(f"{file}: no such file{nearest(str(file), shipped)}; give a file of weights (.pth)")
    for line in lines_of(path, given=str(file)):
        typer.echo(line)
    card = card_of(path)
    if card is not None:
        typer.echo(f"\n{card.read_text(encoding='utf-8').strip()}")
