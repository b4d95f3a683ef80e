"""Does the demo's map point to the source that shows the object, with any seed?

    python -m benchmarks.demo [--configs recommended/segformer_synthetic tdfusion/segformer_synthetic] [--seeds 10]

Trains each config with each seed by ``metaloss train``, one thread each, validated after every epoch; the validation's
scenes are of another seed than those that are trained on. What is finished is kept in ``benchmarks/results/demo``.
Prints for each config the weights on and off the objects, seed by seed, how far they swing, and the task's score.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.evidence.arguments import add_runs, run_command
from benchmarks.evidence.differences import HEADER, difference
from benchmarks.evidence.pages import swing
from benchmarks.evidence.runs import Folders
from metaloss.engine import load_config, parse_options
from metaloss.errors import MetaLossError
from metaloss.evaluation.results import read_result, write_result
from metaloss.report.tables import markdown
from metaloss.runtime.progress_bar import progress_bar

CONFIGS = ("recommended/segformer_synthetic", "tdfusion/segformer_synthetic")
SHOWN = (("ir", "person"), ("vi", "sign"), ("ir", "car"))
SCORES = ("mIoU", "mAP50")
VERSION = 1
"""Raise it with every change of what a run does that its config's name does not show: older results are refused."""
_PARTS = ("model", "train_dataloader", "val_dataloader", "train_cfg", "val_cfg", "optim_wrapper", "param_scheduler")
_TIMES = ("data_time", "time", "step")


@dataclass(frozen=True)
class DemoRun:
    """One training.

    Attributes:
        config: its name.
        seed: of networks, scenes and order.
        options: further settings of the config, as ``KEY=VALUE``.
        folders: of the config's runs.
    """

    config: str
    seed: int
    options: tuple[str, ...]
    folders: Folders

    @property
    def result(self) -> Path:
        """The JSON file."""
        return self.folders.results / f"seed_{self.seed}.json"

    @property
    def work(self) -> Path:
        """Where checkpoints and logs go."""
        return self.folders.work / f"seed_{self.seed}"

    @property
    def identity(self) -> dict[str, Any]:
        """What the run depends on: the config by its name and by what is in it."""
        return {
            "config": self.config,
            "digest": digest(self.config, self.options),
            "seed": self.seed,
            "options": list(self.options),
            "version": VERSION,
        }

    def execute(self) -> None:
        """Trains, where that is not done."""
        if read_result(self.result, self.identity) is not None:
            return
        self.train()
        write_result(self.result, self.identity, self.scores, weights=self.weights)

    def train(self) -> None:
        """Trains by the command line, with one thread.

        Raises:
            MetaLossError: the training failed; its messages are in a file.
        """
        work = self.work
        options = ["--cfg-options", f"seed={self.seed}", "train_cfg.val_interval=1", *self.options]
        command = [sys.executable, "-W", "ignore", "-m", "metaloss", "train", self.config, "--work-dir", str(work)]
        work.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with (work / "messages.txt").open("w") as messages:
            done = subprocess.run(
                [*command, "--overwrite", *options], stdout=messages, stderr=messages, env=environment, check=False
            )
        if done.returncode:
            raise MetaLossError(f"the training of {self.config}, seed {self.seed}, failed: see {work / 'messages.txt'}")

    @property
    def scores(self) -> dict[str, float]:
        """The task's metrics in the last validation of the training."""
        last = validations(self.work)[-1]
        return {name: last[name] for name in last if not name.startswith("weight/") and name not in _TIMES}

    @property
    def weights(self) -> list[dict[str, float]]:
        """The weights by region in each validation of the training; without a generator only the epochs."""
        return [by_region(epoch) for epoch in validations(self.work)]

    @property
    def history(self) -> list[dict[str, float]]:
        """The weights after each epoch."""
        history: list[dict[str, float]] = json.loads(self.result.read_text())["weights"]
        return history


def folders_of(config: str, folders: Folders) -> Folders:
    """The folders of a config's runs."""
    return folders.of(config.replace("/", "_"))


@cache
def digest(config: str, options: tuple[str, ...]) -> str:
    """The beginning of a hash of what a training takes from its config."""
    loaded = load_config(config, parse_options(options)).to_dict()
    text = json.dumps({part: loaded.get(part) for part in _PARTS}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def validations(work: Path) -> list[dict[str, float]]:
    """The metrics of each validation of the newest training in a folder, with its epoch as ``"step"``."""
    newest = max(work.glob("*/vis_data/scalars.json"), key=lambda path: path.stat().st_mtime)
    lines = [json.loads(line) for line in newest.read_text().splitlines()]
    return [line for line in lines if any(name.startswith("weight/") or name in SCORES for name in line)]


def by_region(epoch: Mapping[str, float]) -> dict[str, float]:
    """The weights of a validation by the names that the studies use."""
    found: dict[str, float] = {"epoch": epoch["step"]}
    for name, value in epoch.items():
        if name.startswith("weight/"):
            _, source, where, kind = name.split("/")
            found[f"{source} {where} {kind}"] = value
    return found


def page(config: str, runs: Sequence[DemoRun]) -> str:
    """The tables of a config, with the first of ``SCORES`` that its task has.

    Raises:
        MetaLossError: it has none, or a class is in none of the validation's scenes.
    """
    metrics = [json.loads(run.result.read_text())["metrics"] for run in runs]
    score = next((name for name in SCORES if all(name in each for each in metrics)), None)
    if score is None:
        raise MetaLossError(f"{config}: its validations have none of {', '.join(SCORES)}")
    last = [run.history[-1] for run in runs]
    rows = [["seed", *(f"{source} on {kind}s, off, difference" for source, kind in SHOWN), "swing", score]]
    apart: dict[tuple[str, str], list[float]] = {key: [] for key in SHOWN}
    scores = [each[score] for each in metrics]
    for run, weights, value in zip(runs, last, scores, strict=True):
        cells = []
        for source, kind in SHOWN:
            if f"{source} on {kind}" not in weights:
                raise MetaLossError(f"{config}, seed {run.seed}: no scene of the validation shows a {kind}")
            on, off = weights[f"{source} on {kind}"], weights[f"{source} off {kind}"]
            apart[source, kind].append(on - off)
            cells.append(f"{on:.3f}, {off:.3f}, {on - off:+.3f}")
        rows.append([str(run.seed), *cells, f"{swing(run.history):.3f}", f"{value:.2f}"])
    swings = statistics.median(swing(run.history) for run in runs)
    totals = [["weight of", "on objects of", "on - off", *HEADER[1:], "right way up"]]
    for (source, kind), values in apart.items():
        right = f"{sum(value > 0 for value in values)} of {len(values)}"
        totals.append([source, f"{kind}s", *difference(values).cells(3), right])
    mean = statistics.fmean(scores)
    summary = f"{score} {mean:.2f} in the mean; the weights swing by {swings:.3f} (median over seeds)."
    return f"## {config}\n\n{markdown(rows)}\n{markdown(totals)}\n{summary}\n"


def main(arguments: list[str] | None = None) -> None:
    """Trains and prints."""
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reader.add_argument("--configs", nargs="+", default=CONFIGS)
    add_runs(reader, seeds="10")
    reader.add_argument("--options", nargs="+", default=[], metavar="KEY=VALUE", help="further settings of the configs")
    given = reader.parse_args(arguments)
    folders = Folders(given.results, given.out).of("demo")
    runs = {
        config: [DemoRun(config, seed, tuple(given.options), folders_of(config, folders)) for seed in given.seeds]
        for config in given.configs
    }
    in_turn = [run for several in zip(*runs.values(), strict=True) for run in several]
    with ThreadPoolExecutor(given.jobs) as pool, progress_bar("trainings", len(in_turn)) as advance:
        for _ in pool.map(DemoRun.execute, in_turn):
            advance("")
    print("\n".join(page(config, several) for config, several in runs.items()))


if __name__ == "__main__":
    run_command(main)
