"""The command line that the studies share."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Collection
from pathlib import Path

from benchmarks.evidence.problems import PROBLEMS, load
from benchmarks.evidence.runs import Folders
from benchmarks.evidence.settings import Settings
from metaloss.errors import MetaLossError


def parser(
    description: str, *, data: str | None = None, seeds: str, budget: tuple[str, ...]
) -> argparse.ArgumentParser:
    """Makes a parser of problem, alpha, seeds, jobs, folder and budget.

    Args:
        description: of the command.
        data: the problem where none is named; ``None``: one has to be.
        seeds: default, as :func:`seeds_from` reads it.
        budget: names of settings that can be given.
    """
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--data", choices=PROBLEMS, default=data, required=data is None)
    made.add_argument("--alpha", type=float, default=0.0, help="of the loss's gradient term")
    add_runs(made, seeds)
    for name in budget:
        made.add_argument(f"--{name.replace('_', '-')}", type=int, dest=name, help="default: the problem's own")
    return made


def add_runs(parser: argparse.ArgumentParser, seeds: str, rows: Collection[str] = ()) -> None:
    """Adds which rows, where there are several, which seeds, how many runs at a time, and the folders."""
    if rows:
        shown = ", ".join(rows)
        parser.add_argument("--rows", nargs="+", choices=rows, default=list(rows), metavar="ROW", help=shown)
    shown = "how many from 0, or the first and last as 5-9"
    parser.add_argument("--seeds", type=seeds_from, default=seeds, help=shown)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time, a thread each")
    parser.add_argument("--out", type=Path, default=Folders.work, help="for checkpoints and pictures")
    parser.add_argument("--results", type=Path, default=Folders.results, help="of finished runs")


def seeds_from(text: str) -> list[int]:
    """Reads ``"3"`` as 0, 1 and 2, and ``"5-9"`` as 5 to 9."""
    if (found := re.fullmatch(r"(\d+)(?:-(\d+))?", text)) is None:
        raise argparse.ArgumentTypeError(f"{text!r}: expected how many, as 5, or the first and the last, as 5-9")
    first, last = found.groups()
    return list(range(int(first))) if last is None else list(range(int(first), int(last) + 1))


def run_command(main: Callable[[], None]) -> None:
    """Runs a command; what is wrong with what it was given ends it with one line."""
    try:
        main()
    except MetaLossError as error:
        sys.exit(f"error: {error}")


def settings_of(given: argparse.Namespace, budget: tuple[str, ...]) -> Settings:
    """The settings of the runs with learned weights, seed 0; the problem's own where none are given."""
    chosen = {name: value for name in budget if (value := getattr(given, name)) is not None}
    chosen = {**load(given.data).budget, **chosen}
    return Settings(data=given.data, alpha=given.alpha, weights="learned", seed=0, **chosen)
