"""Runs: one JSON file each, several at a time, taken up where they were stopped."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import redirect_stderr
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any

import torch

from benchmarks.evidence.judging import fused_image, judge, simple_images
from benchmarks.evidence.problems import load
from benchmarks.evidence.settings import VERSION, Settings
from benchmarks.evidence.training import train, weight_history
from metaloss.evaluation.downstream import Image
from metaloss.evaluation.results import read_result, write_result
from metaloss.runtime.files import written_whole
from metaloss.runtime.progress_bar import progress_bar

# what a network that learns no weights does not depend on, and what an image that needs no training does not
_OF_META = ("warmup", "meta_steps", "generator", "loss_lr", "loss_decay", "outer_update")
_OF_META += ("inner_lr", "inner_update", "schedule")
_OF_JUDGED = (*_OF_META, "alpha", "weights", "epochs", "lr", "fusion", "gradient")
RESULTS = Path(__file__).parents[1] / "results"


@dataclass(frozen=True)
class Folders:
    """Where a study's files lie.

    Attributes:
        results: a small JSON file for each finished run, kept in the repository: a study goes on from any checkout.
        work: checkpoints, messages and pictures, which are not kept.
    """

    results: Path = RESULTS
    work: Path = Path("work_dirs/evidence")

    def of(self, *parts: str) -> Folders:
        """The folders of a part."""
        return Folders(self.results.joinpath(*parts), self.work.joinpath(*parts))


@dataclass(frozen=True)
class Run:
    """One row's score with one seed.

    Attributes:
        name: of the row: of a way to train, or of an image that needs no training.
        settings: of the training.
        folders: of the row.
        trained: whether there is a fusion network; else the name says which image it is.
    """

    name: str
    settings: Settings
    folders: Folders
    trained: bool = True

    @property
    def result(self) -> Path:
        """The JSON file with settings, metrics and, where weights are learned, those after every epoch."""
        return self.folders.results / f"seed_{self.settings.seed}.json"

    @property
    def folder(self) -> Path:
        """Where checkpoints and messages go."""
        return self.folders.work / f"seed_{self.settings.seed}"

    @property
    def identity(self) -> dict[str, Any]:
        """The settings that this run depends on."""
        unused = _OF_JUDGED if not self.trained else _OF_META if self.settings.weights == "uniform" else ()
        known = {key: value for key, value in asdict(self.settings).items() if key not in unused}
        return {**known, "version": VERSION}

    @property
    def known(self) -> dict[str, float] | None:
        """The metrics, where the run is finished.

        Raises:
            ConfigError: what lies in the folders is of other settings.
        """
        for file in (self.result, self.folder / "started.json"):
            found = read_result(file, self.identity)
            if found:
                return found
        return None

    @property
    def history(self) -> list[dict[str, float]]:
        """The weights' way through the epochs, of a finished run that learned them."""
        history: list[dict[str, float]] = json.loads(self.result.read_text())["weights"]
        return history

    def execute(self) -> None:
        """Trains and judges, or goes on with it; what it warns of goes into ``messages.txt``."""
        if self.known is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "messages.txt").open("a") as messages, redirect_stderr(messages):
            self._execute()

    def _execute(self) -> None:
        if read_result(self.folder / "started.json", self.identity) is None:
            write_result(self.folder / "started.json", self.identity, {})
        image = fused_image(train(self.settings, self.folder)) if self.trained else self._simple()
        learns = self.trained and self.settings.weights == "learned"
        weights = {"weights": self._weights()} if learns else {}
        state = self.folder / "judge.pth"
        metrics = judge(self.settings, image, state)
        write_result(self.result, self.identity, metrics, **weights, **self._more(image))
        state.unlink(missing_ok=True)
        for epoch in range(1, self.settings.epochs if self.trained else 0):
            self.checkpoint(epoch).unlink(missing_ok=True)

    def _weights(self) -> list[dict[str, float]]:
        """The weights after each epoch, from the checkpoints; they go when the run is finished, and the file stays."""
        file = self.folder / "weights.json"
        if not file.is_file():
            with written_whole(file) as opened:
                opened.write(json.dumps(weight_history(self.settings, self.folder)).encode())
        found: list[dict[str, float]] = json.loads(file.read_text())
        return found

    def checkpoint(self, epoch: int) -> Path:
        """The file after an epoch; the first and the last are kept."""
        return self.folder / f"epoch_{epoch}.pth"

    def _more(self, image: Image) -> dict[str, Any]:
        """What else is kept of a run."""
        return {}

    def _simple(self) -> Image:
        return simple_images(load(self.settings.data))[self.name]


def seeds_of(
    name: str, settings: Settings, folders: Folders, seeds: Sequence[int], *, trained: bool = True
) -> list[Run]:
    """A row's runs."""
    own = folders.of(name.replace(" ", "_"))
    return [Run(name, replace(settings, seed=seed), own, trained) for seed in seeds]


def simple_runs(settings: Settings, folders: Folders, seeds: Sequence[int]) -> list[Run]:
    """Floor and ceiling: they depend on no loss."""
    names = simple_images(load(settings.data))
    return [run for name in names for run in seeds_of(name, settings, folders, seeds, trained=False)]


def execute(runs: Sequence[Run], jobs: int) -> dict[str, dict[int, dict[str, float]]]:
    """Runs what is not finished, several at a time with one thread each.

    Returns:
        The metrics by row and seed.
    """
    todo = [run for run in runs if run.known is None]
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_prepare_worker)
    with pool, progress_bar("runs", len(todo)) as advance:
        try:
            runs_of = {pool.submit(run.execute): run for run in todo}
            for done in as_completed(runs_of):
                if done.exception() is not None:
                    print(f"failed: {runs_of[done].folder}", file=sys.stderr)
                done.result()
                advance("")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    values: dict[str, dict[int, Any]] = {}
    for run in runs:
        values.setdefault(run.name, {})[run.settings.seed] = read_result(run.result, run.identity)
    return values


def _prepare_worker() -> None:
    torch.set_num_threads(1)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # else a study that was killed would leave its workers computing
