"""Writes the tables as Markdown, the raw figures as JSON, and the figure where matplotlib is installed."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.interleaved import Bench
from benchmarks.plan import Plan
from benchmarks.sections import Table


def markdown(machine: str, command: str, tables: Sequence[Table]) -> str:
    """The whole report."""
    head = f"# The meta-gradient's cost\n\nMeasured on {machine}.\nCommand: `{command}`\n"
    return "\n".join([head, *(render(table) for table in tables)])


def render(table: Table) -> str:
    """One table with its title and notes."""
    lines = [f"## {table.title}", "", row(table.header), row(["---"] * len(table.header))]
    lines += [row(cells) for cells in table.rows]
    return "\n".join([*lines, *(f"\n{note}" for note in table.notes), ""])


def row(cells: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def raw(machine: str, plan: Plan, bench: Bench, networks: dict[str, dict[str, float]]) -> str:
    """Everything that was measured, as JSON; what was not is null."""
    cases = [
        {
            **asdict(case),
            "memory_mb": None if math.isnan(result.memory) else result.memory,
            "seconds": result.times,
            "error": result.error,
        }
        for case, result in bench.results.items()
    ]
    return json.dumps({"machine": machine, "plan": asdict(plan), "cases": cases, "networks": networks}, indent=1)


def write(
    out: Path,
    machine: str,
    command: str,
    plan: Plan,
    bench: Bench,
    networks: dict[str, dict[str, float]],
    tables: Sequence[Table],
) -> list[Path]:
    """Writes all files.

    Returns:
        Their paths.
    """
    out.mkdir(parents=True, exist_ok=True)
    written = [out / "meta_gradient.md", out / "meta_gradient.json"]
    written[0].write_text(markdown(machine, command, tables))
    written[1].write_text(raw(machine, plan, bench, networks))
    try:
        import matplotlib as _  # noqa: F401
    except ImportError:
        bench.say("no figure: matplotlib is not installed")
        return written
    from benchmarks.figure import draw

    draw(out / "meta_gradient.png", machine, plan, bench)
    return [*written, out / "meta_gradient.png"]
