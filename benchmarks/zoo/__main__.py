"""Tries the smallest model of every part of the frameworks' zoos, and writes which work: ``make zoo``.

    python -m benchmarks.zoo [--zoos mmseg mmdet ...] [--only PATTERN] [--seconds 300] [--gib 6] [--jobs 1]
        [--out work_dirs/zoo] [--page FILE]

Every model has a process of its own, with limits of time and memory. What was tried is kept in ``--out``, and a run
that was stopped goes on from there; remove a line of ``results.jsonl``, or the file, to try again.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.zoo.catalogue import ZOOS, Model
from benchmarks.zoo.page import page
from benchmarks.zoo.results import Limits, Results


def run(models: list[Model], results: Results, limits: Limits, jobs: int) -> None:
    """Tries the models that have no result yet, some at a time."""
    waiting = [model for model in models if model not in results]
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns) as progress:
        bar = progress.add_task("models", total=len(models), completed=len(models) - len(waiting))
        for model, outcome in limits.tried(waiting, jobs):
            results.add(model, outcome)
            progress.console.print(f"{model.task} {model.name}: {outcome['outcome']} {outcome['detail'][:120]}")
            progress.advance(bar)


def main(arguments: list[str] | None = None) -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--zoos", nargs="+", choices=ZOOS, default=list(ZOOS))
    parser.add_argument("--only", default="", help="a regular expression for models' names")
    parser.add_argument("--seconds", type=int, default=300, help="that one model may take")
    parser.add_argument("--gib", type=float, default=6, help="of memory that one model may take")
    parser.add_argument("--jobs", type=int, default=1, help="models at a time")
    parser.add_argument("--out", type=Path, default=Path("work_dirs/zoo"))
    parser.add_argument("--page", type=Path, help="default: zoo.md in --out")
    given = parser.parse_args(arguments)
    models = [model for zoo in given.zoos for model in ZOOS[zoo]() if re.search(given.only, model.name)]
    results = Results(given.out / "results.jsonl")
    limits = Limits(given.seconds, given.gib)
    run(models, results, limits, given.jobs)
    target = given.page or given.out / "zoo.md"
    target.write_text(page(models, results, limits), encoding="utf-8")
    print(f"written: {target}")


if __name__ == "__main__":
    main()
