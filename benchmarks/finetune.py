"""Are published fusion networks better for a task after fine-tuning, and by a learned loss better still?

    python -m benchmarks.finetune [--networks NAME ...] [--rows ROW ...] [--seeds 5-7] [--jobs 2]

The networks begin with their authors' weights (``$METALOSS_DATA/peers/NAME``) and are judged by a fresh detector as
published, fine-tuned with uniform weights, and fine-tuned with the learned loss; all fine-tunings have the same budget,
order of data and seeds. The learned loss has another form of the gradient term than uniform weights: ``uniform both``
is that form with uniform weights. IFCNN and DenseFuse encode both sources with the same layers; ``NAME own encoders``
begins with two copies of them, and as published it is the same network. The fusion metrics of their images of the test
scenes say what was paid for it. What is finished is kept in ``benchmarks/results/finetune``: the same command goes on
where it was stopped. Prints and writes a page.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from benchmarks.evidence import pages
from benchmarks.evidence.arguments import parser, run_command, settings_of
from benchmarks.evidence.judging import fused_image
from benchmarks.evidence.peers import OWN, published_network
from benchmarks.evidence.problems import Problem, load
from benchmarks.evidence.rows import ROWS as TRAININGS
from benchmarks.evidence.runs import Folders, Run, execute
from benchmarks.evidence.settings import Settings
from metaloss.evaluation.downstream import Image
from metaloss.metrics import METRICS, evaluate
from metaloss.report.seeds import Values, as_markdown
from metaloss.report.tables import markdown

NETWORKS = ("ifcnn", "densefuse", "datfuse", "seafusion", f"ifcnn{OWN}", f"densefuse{OWN}")
PUBLISHED, UNIFORM, BOTH, LEARNED = "published", "uniform", "uniform both", "learned"
ROWS: dict[str, dict[str, Any]] = {
    PUBLISHED: {},
    UNIFORM: TRAININGS["uniform"],
    LEARNED: TRAININGS["recommended"],
    BOTH: TRAININGS[BOTH],
}
"""What each changes in the settings of a training; the first has none."""
COMPARED = ((UNIFORM, PUBLISHED), (LEARNED, PUBLISHED), (LEARNED, UNIFORM), (LEARNED, BOTH))
PAID = ("EN", "SD", "SF", "MI", "SCD", "VIF", "Qabf", "SSIM")
BUDGET = ("epochs", "warmup", "meta_steps", "crops", "task_epochs")


@dataclass(frozen=True)
class Finetuned(Run):
    """A published network, as it is or after fine-tuning, with one seed."""

    @property
    def identity(self) -> dict[str, Any]:
        """The settings that this run depends on; the network is one of them in every row."""
        return {**super().identity, "fusion": self.settings.fusion}

    @property
    def paid(self) -> dict[str, float]:
        """The fusion metrics of a finished run."""
        found: dict[str, float] = json.loads(self.result.read_text())["fusion"]
        return found

    def _simple(self) -> Image:
        return fused_image(published_network(self.settings.fusion))

    def _more(self, image: Image) -> dict[str, Any]:
        return {"fusion": measured(load(self.settings.data), image)}


def measured(problem: Problem, image: Image) -> dict[str, float]:
    """Means of the fusion metrics over the test scenes, of images rounded to whole grey levels."""
    fused = _grey([image(scene) for scene in problem.scored])
    sources = [_grey([scene["sources"][k] for scene in problem.scored]) for k in range(len(problem.sources))]
    found = evaluate(fused, sources, metrics=PAID)
    return {name: float(values.double().mean()) for name, values in found.items()}


def _grey(images: Sequence[torch.Tensor]) -> torch.Tensor:
    return (torch.stack(list(images)) * 255).round()


def runs_of(
    settings: Settings, folders: Folders, networks: Sequence[str], rows: Sequence[str], seeds: Sequence[int]
) -> list[Finetuned]:
    """The runs, seed by seed; forms of a network have one and the same image as published, which is judged once."""
    published = list(dict.fromkeys(network.removesuffix(OWN) for network in networks))
    return [
        Finetuned(
            f"{network}, {row}",
            replace(settings, **ROWS[row], seed=seed, fusion=network),
            folders.of(network, row),
            trained=row != PUBLISHED,
        )
        for seed in seeds
        for network in dict.fromkeys((*published, *networks))
        for row in rows
        if (network in published if row == PUBLISHED else network in networks)
    ]


def with_means(values: Values) -> Values:
    """Adds the mean of a task's metric over the groups of test scenes, where there are several."""
    return {
        row: {seed: {**_means(metrics), **metrics} for seed, metrics in several.items()}
        for row, several in values.items()
    }


def _means(metrics: dict[str, float]) -> dict[str, float]:
    groups: dict[str, list[float]] = {}
    for name, value in metrics.items():
        groups.setdefault(name.split()[0], []).append(value)
    return {name: statistics.fmean(found) for name, found in groups.items() if len(found) > 1}


def page(runs: Sequence[Finetuned], values: Values, problem: Problem) -> str:
    """The tables of finished runs."""
    values = with_means(values)
    rows = list(values)
    pairs = [
        (f"{network}, {one}", f"{network.removesuffix(OWN) if other == PUBLISHED else network}, {other}")
        for network in dict.fromkeys(run.settings.fusion for run in runs)
        for one, other in COMPARED
    ]
    pairs = [pair for pair in pairs if pair[0] in rows and pair[1] in rows]
    parts = ["# Published networks, fine-tuned: mean ± standard deviation\n", as_markdown(values)]
    parts += ["Seed by seed:\n", pages.gains(values, pairs)] if pairs else []
    parts += ["What was paid for it, means over test scenes and seeds:\n", _paid(runs)]
    histories: dict[str, list[pages.History]] = {}
    for run in runs:
        if run.trained and run.settings.weights == "learned":
            histories.setdefault(run.name, []).append(run.history)
    if histories:
        parts += ["Mean weights on the test scenes after training:\n", pages.weight_table(histories, problem)]
    return "\n".join(parts)


def _paid(runs: Sequence[Finetuned]) -> str:
    rows = [["row", *(f"{name} {METRICS[name].arrow}" for name in PAID)]]
    for row in dict.fromkeys(run.name for run in runs):
        several = [run.paid for run in runs if run.name == row]
        rows.append([row, *(f"{statistics.fmean(each[name] for each in several):.3f}" for name in PAID)])
    return markdown(rows)


def main(arguments: list[str] | None = None) -> None:
    """Runs, prints and writes."""
    reader = parser(__doc__.splitlines()[0], data="msrs_large", seeds="5-7", budget=BUDGET)
    reader.add_argument("--networks", nargs="+", default=list(NETWORKS), metavar="NAME", help=", ".join(NETWORKS))
    reader.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW", help=", ".join(ROWS))
    reader.add_argument("--lr", type=float, default=1e-4, help="of the fusion network")
    reader.set_defaults(alpha=1.0)
    given = reader.parse_args(arguments)
    settings = replace(settings_of(given, BUDGET), lr=given.lr)
    folders = Folders(given.results, given.out).of("finetune")
    runs = runs_of(settings, folders, given.networks, given.rows, given.seeds)
    values = execute(runs, given.jobs)
    text = page(runs, values, load(given.data))
    file = folders.work / "finetune.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    print(f"{text}\nwritten: {file}")


if __name__ == "__main__":
    run_command(main)
