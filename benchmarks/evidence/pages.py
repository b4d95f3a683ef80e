"""Tables in Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.evidence.differences import HEADER, difference, paired
from benchmarks.evidence.problems import Problem
from metaloss.report.seeds import Values, metric_names, spread
from metaloss.report.tables import markdown

History = Sequence[dict[str, float]]


def gains(values: Values) -> str:
    """What learned weights have over uniform ones, seed by seed."""
    rows = [["learned - uniform", *HEADER]]
    rows += [[name, *paired(values, "learned", "uniform", name).cells(2)] for name in metric_names(values)]
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
