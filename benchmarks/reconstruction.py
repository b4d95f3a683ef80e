"""Without labels: does ReFusion's loss find the source that shows an object, and by which inner update?

    python -m benchmarks.reconstruction [--seeds 5] [--jobs 2]

ReFusion's training on procedural scenes at 72x96, alpha 1, by ``metaloss train``: with uniform weights and the stronger
edge, with uniform weights in both terms, as ReFusion's loss begins, with the published inner update and with the one in
image space. The validation alone sees labels, to say where the weights lie
on persons, signs and cars. One thread each; scenes, networks and order are a seed's. What is finished is kept in
``benchmarks/results/reconstruction``. Prints the scores, their differences seed by seed, and the weights.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks.demo import SHOWN, DemoRun
from benchmarks.evidence.arguments import add_runs, run_command
from benchmarks.evidence.pages import after_training, gains
from benchmarks.evidence.runs import Folders
from metaloss.report.seeds import Values, as_markdown
from metaloss.runtime.progress_bar import progress_bar

CONFIG = "refusion/ivif_synthetic"
BUDGET = ("train_scenes=64", "val_scenes=40", "max_epochs=16", "val_dataloader.dataset.target=segmentation")
ROWS: dict[str, tuple[str, ...]] = {
    "uniform": ("model.loss.weights=uniform", "model.loss.gradient=per_axis"),
    "uniform both": ("model.loss.weights=uniform",),
    "network": (),
    "image": ("model.inner_update=image",),
}
"""What each row changes in the config."""
METRICS = ("reconstruction/PSNR", "reconstruction/SSIM", "fusion/SCD", "fusion/VIF", "fusion/Qabf", "fusion/SSIM")


def runs_of(rows: Sequence[str], seeds: Sequence[int], folders: Folders) -> dict[str, list[DemoRun]]:
    """The runs, row by row."""
    return {row: [DemoRun(CONFIG, seed, (*BUDGET, *ROWS[row]), folders.of(row)) for seed in seeds] for row in rows}


def page(runs: dict[str, list[DemoRun]]) -> str:
    """The tables of finished runs."""
    values: Values = {}
    for row, several in runs.items():
        for run in several:
            metrics = json.loads(run.result.read_text())["metrics"]
            values.setdefault(row, {})[run.seed] = {name: metrics[name] for name in METRICS}
    histories = {row: [run.history for run in several] for row, several in runs.items() if "uniform" not in row}
    parts = ["# ReFusion, alpha 1: mean ± standard deviation\n", as_markdown(values)]
    pairs = [(row, other) for other in ("uniform", "uniform both") for row in histories if other in values]
    pairs += [("image", "network")] if {"image", "network"} <= set(values) else []
    score = METRICS[0]
    scores = {row: {seed: {score: each[score]} for seed, each in several.items()} for row, several in values.items()}
    parts += [gains(scores, pairs)] if pairs else []
    parts += after_training(histories, SHOWN) if histories else []
    return "\n".join(parts)


def main(arguments: list[str] | None = None) -> None:
    """Trains and prints."""
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_runs(reader, seeds="5", rows=ROWS)
    given = reader.parse_args(arguments)
    runs = runs_of(given.rows, given.seeds, Folders(given.results, given.out).of("reconstruction"))
    in_turn = [run for several in zip(*runs.values(), strict=True) for run in several]
    with ThreadPoolExecutor(given.jobs) as pool, progress_bar("trainings", len(in_turn)) as advance:
        for _ in pool.map(DemoRun.execute, in_turn):
            advance("")
    print(page(runs))


if __name__ == "__main__":
    run_command(main)
