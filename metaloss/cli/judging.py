"""The scores of fresh task networks on fused images, for the commands that have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer

from metaloss.data.fingerprints import ranges_read
from metaloss.report.seeds import Values


def judged(protocol: Any, rows: Sequence[Any], seeds: Iterable[int]) -> Values:
    """Runs what is not finished, and prints what is to be known of the scores.

    Args:
        protocol: a ``metaloss.engine.Downstream``.
        rows: of it.
        seeds: of the task networks.

    Returns:
        The metrics by row and seed.
    """
    values: dict[str, dict[int, Mapping[str, float]]] = {row.name: {} for row in rows}
    for result in protocol.run(rows, seeds):
        values[result.method][result.seed] = result.metrics
    for note in dict.fromkeys(protocol.notes):
        typer.echo(note, err=True)
    return values


def warn_of_another_range(what: str, ranges: Sequence[object], dataset: Any, cure: str) -> None:
    """Says where a task's data set reads its sources by another range.

    Args:
        what: has to do with sources of the other range, as the beginning of a sentence.
        ranges: that range, source by source; empty: not known.
        dataset: of the task.
        cure: what to do.
    """
    given = " ".join(map(str, ranges))
    for own in map(" ".join, ranges_read(dataset)):
        if own != given:
            typer.echo(f"warning: {what} {given or 'of several'}, and the data is read with {own}: {cure}", err=True)
