"""The papers' networks at the papers' alpha: uniform weights, both inner updates and the recommended training.

    python -m benchmarks.papers_networks [--seeds 5] [--jobs 2]

ReFusionNet, the papers' loss generator and SegFormer-B0 on procedural scenes at 72x96, alpha 1, by ``metaloss train``;
then a fresh SegFormer-B0 judges the images of each frozen fusion network, and each source alone, by ``metaloss
downstream``. One thread each, a seed at a time; scenes, networks and order are a seed's. What is finished is kept in
``benchmarks/results/papers_networks``. Prints the scores, their differences seed by seed, and the weights.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.demo import SHOWN, DemoRun
from benchmarks.evidence.arguments import add_runs, run_command
from benchmarks.evidence.pages import after_training, gains
from benchmarks.evidence.runs import Folders
from metaloss.errors import MetaLossError
from metaloss.evaluation.results import read_result, write_result
from metaloss.report.seeds import Values, as_markdown
from metaloss.runtime.progress_bar import progress_bar

EPOCHS = 16
BUDGET = ("train_scenes=64", "val_scenes=40", f"max_epochs={EPOCHS}")
PUBLISHED = "tdfusion/segformer_synthetic"
ROWS: dict[str, tuple[str, tuple[str, ...]]] = {
    "uniform": (PUBLISHED, ("model.loss.weights=uniform",)),
    "uniform both": (PUBLISHED, ("model.loss.weights=uniform", "model.loss.gradient=learned")),
    "network": (PUBLISHED, ()),
    "image": (PUBLISHED, ("model.inner_update=image",)),
    "recommended": ("recommended/segformer_synthetic", ()),
}
"""What each trains: a config, and further settings of it."""


@dataclass(frozen=True)
class Judged:
    """A training, and the score of a fresh task network on its images.

    Attributes:
        row: its name.
        run: the training.
        judging: the folder of the seed's judges.
    """

    row: str
    run: DemoRun
    judging: Path

    def execute(self) -> None:
        """Trains and judges, where that is not done."""
        if read_result(self.run.result, self.run.identity) is not None:
            return
        self.run.train()
        rows = self._judge()
        sources = {f"{source} alone": rows[source] for source in ("ir", "vi")}
        write_result(self.run.result, self.run.identity, rows[self.row], weights=self.run.weights, sources=sources)

    def _judge(self) -> dict[str, dict[str, float]]:
        """The metrics by row; what the sources alone score is computed once a seed."""
        weights = f"{self.row}={self.run.work / f'epoch_{EPOCHS}.pth'}"
        command = [sys.executable, "-W", "ignore", "-m", "metaloss", "downstream", self.run.config]
        command += ["--weights", weights, "--seeds", "1", "--work-dir", str(self.judging), "--format", "json"]
        command += ["--cfg-options", f"seed={self.run.seed}", *BUDGET]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            raise MetaLossError(f"the judge of {self.row}, seed {self.run.seed}, failed: {done.stderr.strip()}")
        found: dict[str, dict[str, dict[str, float]]] = json.loads(done.stdout)
        return {row: each["mean"] for row, each in found.items()}


def runs_of(seeds: Sequence[int], rows: Sequence[str], folders: Folders) -> dict[int, list[Judged]]:
    """The runs, seed by seed."""
    made: dict[int, list[Judged]] = {}
    for seed in seeds:
        judging = folders.of("judges", f"seed_{seed}").work
        for row in rows:
            config, options = ROWS[row]
            run = DemoRun(config, seed, (*BUDGET, *options), folders.of(row))
            made.setdefault(seed, []).append(Judged(row, run, judging))
    return made


def page(judged: Sequence[Judged]) -> str:
    """The tables of finished runs."""
    values: Values = {}
    histories: dict[str, list[list[dict[str, float]]]] = {}
    for each in judged:
        content = json.loads(each.run.result.read_text())
        values.setdefault(each.row, {})[each.run.seed] = content["metrics"]
        for source, metrics in content["sources"].items():
            values.setdefault(source, {})[each.run.seed] = metrics
        if "uniform" not in each.row:  # whose weights do not change
            histories.setdefault(each.row, []).append(each.run.history)
    parts = ["# The papers' networks, alpha 1: mean ± standard deviation\n", as_markdown(values)]
    pairs = [(row, "uniform") for row in ("uniform both", *histories) if {row, "uniform"} <= values.keys()]
    pairs += [("recommended", "uniform both")] if {"recommended", "uniform both"} <= values.keys() else []
    pairs += [(row, "network") for row in histories if row != "network" and "network" in values]
    parts += [gains(values, pairs)] if pairs else []
    parts += after_training(histories, SHOWN) if histories else []
    return "\n".join(parts)


def main(arguments: list[str] | None = None) -> None:
    """Trains, judges and prints."""
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_runs(reader, seeds="5", rows=ROWS)
    given = reader.parse_args(arguments)
    by_seed = runs_of(given.seeds, given.rows, Folders(given.results, given.out).of("papers_networks"))
    judged = [each for several in by_seed.values() for each in several]
    with ThreadPoolExecutor(given.jobs) as pool, progress_bar("trainings", len(judged)) as advance:

        def work(several: Sequence[Judged]) -> None:
            for each in several:
                each.execute()
                advance("")

        list(pool.map(work, by_seed.values()))
    print(page(judged))


if __name__ == "__main__":
    run_command(main)
