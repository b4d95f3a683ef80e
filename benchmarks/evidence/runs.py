"""Runs: one JSON file each, several at a time, taken up where they were stopped."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import torch

from benchmarks.evidence.judging import fused_image, judge, simple_images
from benchmarks.evidence.problems import load
from benchmarks.evidence.settings import Settings
from benchmarks.evidence.training import train, weight_history
from metaloss.progress import progress
from metaloss.results import read_result, write_result

Values = dict[str, dict[int, dict[str, float]]]


@dataclass(frozen=True)
class Run:
    """One row's score with one seed.

    Attributes:
        name: of the row: of a way to train, or of an image that needs no training.
        settings: of the training.
        folder: where the result and the checkpoints go.
        trained: whether there is a fusion network; else the name says which image it is.
    """

    name: str
    settings: Settings
    folder: Path
    trained: bool = True

    @property
    def result(self) -> Path:
        """The JSON file."""
        return self.folder / "result.json"

    @property
    def known(self) -> dict[str, float] | None:
        """The metrics, where the run is finished."""
        return read_result(self.result, asdict(self.settings))

    def execute(self) -> None:
        """Trains and judges, or goes on with it."""
        image = fused_image(train(self.settings, self.folder)) if self.trained else self._simple()
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.settings.weights == "learned" and self.trained:
            history = weight_history(self.settings, self.folder)
            (self.folder / "weights.json").write_text(json.dumps(history, indent=1) + "\n")
        state = self.folder / "judge.pth"
        metrics = judge(self.settings, image, state)
        write_result(self.result, asdict(self.settings), metrics)
        state.unlink()
        for epoch in range(1, self.settings.epochs if self.trained else 0):
            (self.folder / f"epoch_{epoch}.pth").unlink(missing_ok=True)

    def _simple(self):
        return simple_images(load(self.settings.data))[self.name]


def seeds_of(name: str, settings: Settings, folder: Path, seeds: int, *, trained: bool = True) -> list[Run]:
    """A row's runs, in folders of their own."""
    return [
        Run(name, replace(settings, seed=seed), folder / name.replace(" ", "_") / f"seed_{seed}", trained)
        for seed in range(seeds)
    ]


def simple_runs(settings: Settings, folder: Path, seeds: int) -> list[Run]:
    """Floor and ceiling: they depend on no loss."""
    plain = replace(settings, alpha=0.0, weights="uniform")
    return [
        run
        for name in simple_images(load(settings.data))
        for run in seeds_of(name, plain, folder, seeds, trained=False)
    ]


def execute(runs: Sequence[Run], jobs: int) -> Values:
    """Runs what is not finished, several at a time with one thread each.

    Returns:
        The metrics by row and seed.
    """
    todo = [run for run in runs if run.known is None]
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_quiet_thread)
    with pool, progress("runs", len(todo)) as advance:
        for done in as_completed([pool.submit(run.execute) for run in todo]):
            done.result()
            advance("")
    values: Values = {}
    for run in runs:
        values.setdefault(run.name, {})[run.settings.seed] = run.known or {}
    return values


def _quiet_thread() -> None:
    torch.set_num_threads(1)
    sys.stderr = io.StringIO()  # one bar for all; errors come back with the results


def histories(runs: Sequence[Run]) -> list[list[dict[str, float]]]:
    """The weights' way through the epochs, of each run that learned them."""
    return [json.loads((run.folder / "weights.json").read_text()) for run in runs]
