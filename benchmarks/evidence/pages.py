"""What people look at: tables in Markdown, curves of the weights, weight maps before and after."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from benchmarks.evidence.differences import HEADER, difference, paired
from benchmarks.evidence.problems import Problem
from benchmarks.evidence.runs import Run
from benchmarks.evidence.training import generator_at, propose
from benchmarks.figure import OURS, THEIRS, dress
from metaloss.report.seeds import Values, as_markdown, metric_names, spread
from metaloss.report.tables import markdown
from metaloss.report.weight_maps import draw_weight_maps

History = Sequence[dict[str, float]]


def scores(values: Values) -> str:
    """Every row's metrics, mean and standard deviation over seeds."""
    return as_markdown(values)


def gains(values: Values, one: str = "learned", other: str = "uniform") -> str:
    """What one row has over another, seed by seed."""
    rows = [[f"{one} - {other}", *HEADER]]
    rows += [[name, *paired(values, one, other, name).cells(2)] for name in metric_names(values)]
    return markdown(rows)


def weight_table(histories: Sequence[History], problem: Problem) -> str:
    """Each source's mean weight at the end, inside and outside the objects of each kind."""
    rows = [["weight of", "in all", "on objects of", "on", "off", "on - off", *HEADER[1:]]]
    last = [history[-1] for history in histories]
    for source in problem.sources:
        for name in problem.regions(problem.scored[0]):
            on, off = ([epoch[f"{source} {where} {name}"] for epoch in last] for where in ("on", "off"))
            apart = difference([a - b for a, b in zip(on, off, strict=True)])
            means = [f"{sum(found) / len(found):.3f}" for found in ([epoch[source] for epoch in last], on, off)]
            rows.append([source, means[0], name, *means[1:], *apart.cells(3)])
    return markdown(rows)


def draw_histories(path: Path, histories: Sequence[History], problem: Problem, title: str) -> None:
    """Draws the first source's weight inside and outside the objects, epoch by epoch; thin lines are seeds."""
    names = list(problem.regions(problem.scored[0]))
    figure, axes = plt.subplots(1, len(names), figsize=(4.2 * len(names), 3.3), squeeze=False, layout="constrained")
    source = problem.sources[0]
    for axis, name in zip(axes[0], names, strict=True):
        for where, colour in (("on", OURS), ("off", THEIRS)):
            lines = [[epoch[f"{source} {where} {name}"] for epoch in history] for history in histories]
            epochs = [epoch["epoch"] for epoch in histories[0]]
            for line in lines:
                axis.plot(epochs, line, color=colour, linewidth=0.7, alpha=0.5)
            mean = [sum(column) / len(column) for column in zip(*lines, strict=True)]
            axis.plot(epochs, mean, color=colour, linewidth=2.2, label=f"{where} {name}")
        axis.set_xlabel("epoch")
        axis.set_ylim(0, 1)
        axis.legend(frameon=False)
        dress(axis, f"weight of {source}: {name}", "y")
    figure.suptitle(title, fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_maps(path: Path, run: Run, problem: Problem, scene: int = 0) -> None:
    """Draws the weights over a test scene before and after training."""
    shown = problem.scored[scene]
    files = {"before": "epoch_0.pth", "after": f"epoch_{run.settings.epochs}.pth"}
    maps = {title: propose(generator_at(run.settings, run.folder / file), shown) for title, file in files.items()}
    draw_weight_maps(path, shown["sources"], maps, problem.sources)


def sensitivity(values: Values, histories: Mapping[str, Sequence[History]], problem: Problem) -> str:
    """Every setting's first metric, and where the first source's weight went, with its extremes on the way."""
    metric, source = metric_names(values)[0], problem.sources[0]
    names = list(problem.regions(problem.scored[0]))
    where = [f"{source} {side} {name}" for name in names for side in ("on", "off")]
    rows = [["setting", metric, f"weight of {source}", *where, "largest mean weight of one source on the way"]]
    for row, runs in histories.items():
        mean, deviation = spread(values, row, metric)
        last = [run[-1] for run in runs]
        ends = [f"{statistics.fmean(epoch[key] for epoch in last):.3f}" for key in (source, *where)]
        extreme = max(epoch[each] for run in runs for epoch in run for each in problem.sources)
        rows.append([row, f"{mean:.2f} ± {deviation:.2f}", *ends, f"{extreme:.3f}"])
    return markdown(rows)
