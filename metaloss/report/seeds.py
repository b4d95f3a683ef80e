"""Tables of metrics over several seeds: mean and standard deviation.

Values are shown as they are given: scores of tasks in percent (see :class:`metaloss.tasks.TaskEvaluator`), fusion
metrics in their own units.
"""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence

from metaloss.metrics import METRICS
from metaloss.report.tables import aligned, escaped, latex, legend, markdown, marked, ranks, unmarked

Values = Mapping[str, Mapping[int, Mapping[str, float]]]
"""Metrics by method, seed and metric name."""


def as_csv(values: Values) -> str:
    """Comma-separated values: ``method,seed,...``, a row per method and seed, then ``mean`` and ``std`` rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = metric_names(values)
    writer.writerow(["method", "seed", *names])
    for method, seeds in values.items():
        for seed, metrics in seeds.items():
            writer.writerow([method, seed, *(f"{metrics[name]:.6g}" for name in names)])
    for row, number in (("mean", 0), ("std", 1)):
        for method in values:
            writer.writerow([method, row, *(f"{spread(values, method, name)[number]:.6g}" for name in names)])
    return text.getvalue()


def as_json(values: Values) -> str:
    """By method: ``seeds`` with the metrics of each, ``mean`` and ``std``."""
    names = metric_names(values)
    content = {
        method: {
            "seeds": {str(seed): dict(metrics) for seed, metrics in seeds.items()},
            "mean": {name: spread(values, method, name)[0] for name in names},
            "std": {name: spread(values, method, name)[1] for name in names},
        }
        for method, seeds in values.items()
    }
    return json.dumps(content, indent=2) + "\n"


def as_markdown(values: Values) -> str:
    """Mean ± standard deviation as a Markdown table: best bold, second best underlined."""
    header, *rows = _rows(values, "md")
    return markdown([list(map(unmarked, header)), *([unmarked(row[0]), *row[1:]] for row in rows)])


def as_latex(values: Values) -> str:
    """Mean ± standard deviation as a LaTeX table: best bold, second best underlined."""
    header, *rows = _rows(values, "latex")
    return latex([list(map(escaped, header)), *([escaped(row[0]), *row[1:]] for row in rows)])


def as_table(values: Values) -> str:
    """Mean ± standard deviation as plain aligned text."""
    count = max(map(len, values.values()))
    over = f"mean ± standard deviation over {count} seeds" if count > 1 else "one seed"
    return f"{over}{f'; {legend(len(values))}' if len(values) > 1 else ''}\n{aligned(_rows(values, 'table'))}"


FORMATS: dict[str, Callable[[Values], str]] = {
    "table": as_table,
    "csv": as_csv,
    "json": as_json,
    "md": as_markdown,
    "latex": as_latex,
}


def spread(values: Values, method: str, name: str) -> tuple[float, float]:
    """Mean and sample standard deviation (0 for one seed) of a metric over a method's seeds."""
    found = [metrics[name] for metrics in values[method].values()]
    return statistics.fmean(found), statistics.stdev(found) if len(found) > 1 else 0.0


def metric_names(values: Values) -> list[str]:
    """The metrics' names, as the first result has them."""
    return list(next(iter(next(iter(values.values())).values())))


def _rows(values: Values, style: str) -> list[list[str]]:
    names = metric_names(values)
    columns = []
    for name in names:
        spreads = {method: spread(values, method, name) for method in values}
        places = ranks({method: mean for method, (mean, _) in spreads.items()}, higher_is_better=_rises(name))
        decimals = _decimals([mean for mean, _ in spreads.values()])
        columns.append(
            {
                method: marked(
                    f"{mean:.{decimals}f}" + (f" ± {deviation:.{decimals}f}" if len(values[method]) > 1 else ""),
                    places.get(method),
                    style,
                    methods=len(places),
                )
                for method, (mean, deviation) in spreads.items()
            }
        )
    header = ["method", *(f"{name} {'↑' if _rises(name) else '↓'}" for name in names)]
    return [header, *([method, *(column[method] for column in columns)] for method in values)]


def _decimals(means: Sequence[float]) -> int:
    """How many decimals show three digits of the largest value: two to four."""
    largest = max((abs(mean) for mean in means if math.isfinite(mean)), default=0.0)
    return 2 if largest == 0 else min(max(2 - math.floor(math.log10(largest)), 2), 4)


def _rises(name: str) -> bool:
    """Whether more of a metric is better; so with all that task frameworks report."""
    name = name.rpartition("/")[2]
    return METRICS[name].higher_is_better if name in METRICS else True
