"""Tables in Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise

from benchmarks.evidence.differences import HEADER, difference, paired
from benchmarks.evidence.problems import Problem
from metaloss.report.seeds import Values, metric_names, spread
from metaloss.report.tables import markdown

History = Sequence[dict[str, float]]


def gains(values: Values, pairs: Sequence[tuple[str, str]]) -> str:
    """What rows have over others, seed by seed."""
    rows = [["difference", "metric", *HEADER]]
    for one, other in pairs:
        cells = [[name, *paired(values, one, other, name).cells(2)] for name in metric_names(values)]
        rows += [[f"{one} - {other}", *each] for each in cells]
    return markdown(rows)


def weight_table(histories: Mapping[str, Sequence[History]], problem: Problem) -> str:
    """Each source's mean weight at the end, inside and outside the objects of each kind, by row."""
    rows = [["row", "weight of", "in all", "on objects of", "on", "off", "on - off", *HEADER[1:]]]
    for row, runs in histories.items():
        last = [history[-1] for history in runs]
        for source in problem.sources:
            for name in problem.regions(problem.scored[0]):
                on, off = ([epoch[f"{source} {where} {name}"] for epoch in last] for where in ("on", "off"))
                apart = difference([a - b for a, b in zip(on, off, strict=True)])
                means = [f"{sum(found) / len(found):.3f}" for found in ([epoch[source] for epoch in last], on, off)]
                rows.append([row, source, means[0], name, *means[1:], *apart.cells(3)])
    return markdown(rows)


def apart_table(histories: Mapping[str, Sequence[History]], shown: Sequence[tuple[str, str]]) -> str:
    """How far the weights of sources on and off classes lie apart at the end, by row."""
    rows = [["row", "weight of", "on objects of", "on - off", *HEADER[1:]]]
    for row, runs in histories.items():
        for source, kind in shown:
            apart = [run[-1][f"{source} on {kind}"] - run[-1][f"{source} off {kind}"] for run in runs]
            rows.append([row, source, f"{kind}s", *difference(apart).cells(3)])
    return markdown(rows)


def swing(history: History, settled: int = 5) -> float:
    """The largest change of a source's mean weight on a class from one epoch to the next, after the fifth."""
    late = [epoch for epoch in history if epoch["epoch"] >= settled]
    changes = [abs(after[key] - before[key]) for before, after in pairwise(late) for key in before if " on " in key]
    return max(changes, default=0.0)


def swing_table(histories: Mapping[str, Sequence[History]]) -> str:
    """How far the weights swing between epochs, by row."""
    rows = [["row", "swing, median over seeds", "least", "most", "seeds"]]
    for row, runs in histories.items():
        found = sorted(map(swing, runs))
        numbers = (statistics.median(found), found[0], found[-1])
        rows.append([row, *(f"{number:.3f}" for number in numbers), str(len(found))])
    return markdown(rows)


def after_training(histories: Mapping[str, Sequence[History]], shown: Sequence[tuple[str, str]]) -> list[str]:
    """Where the weights lie on classes that the validation knows, and how far they swung on the way, with headings."""
    return [
        "Mean weights on the validation's scenes after training:\n",
        apart_table(histories, shown),
        "Largest change of a class's mean weight between epochs:\n",
        swing_table(histories),
    ]


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
        score = f"{mean:.2f} ± {deviation:.2f}" if len(runs) > 1 else f"{mean:.2f}"
        rows.append([row, score, *ends, f"{extreme:.3f}"])
    return markdown(rows)
