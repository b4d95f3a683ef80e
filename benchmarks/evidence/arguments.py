"""The command line that the studies share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.evidence.problems import PROBLEMS
from benchmarks.evidence.settings import Settings
from metaloss.errors import MetaLossError


def parser(
    description: str, *, data: str | None = None, seeds: int, budget: tuple[str, ...]
) -> argparse.ArgumentParser:
    """Makes a parser of problem, alpha, seeds, jobs, folder and budget.

    Args:
        description: of the command.
        data: the problem where none is named; ``None``: one has to be.
        seeds: default.
        budget: names of settings that can be given.
    """
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--data", choices=PROBLEMS, default=data, required=data is None)
    made.add_argument("--alpha", type=float, default=0.0, help="of the loss's gradient term")
    made.add_argument("--seeds", type=int, default=seeds)
    made.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time, a thread each")
    made.add_argument("--out", type=Path, default=Path("work_dirs/evidence"))
    for name in budget:
        default = Settings.__dataclass_fields__[name].default
        made.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, dest=name)
    return made


def run_command(main: Callable[[], None]) -> None:
    """Runs a command; what is wrong with what it was given ends it with one line."""
    try:
        main()
    except MetaLossError as error:
        sys.exit(f"error: {error}")


def settings_of(given: argparse.Namespace, budget: tuple[str, ...]) -> Settings:
    """The settings of the runs with learned weights, seed 0."""
    chosen = {name: getattr(given, name) for name in budget}
    return Settings(data=given.data, alpha=given.alpha, weights="learned", seed=0, **chosen)
