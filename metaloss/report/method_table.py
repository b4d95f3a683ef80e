"""Fusion methods side by side: cost, metrics, and how well a task does with their images."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from metaloss.inference.cost import Cost
from metaloss.metrics import METRICS
from metaloss.report.tables import escaped, latex, markdown, marked, ranks, unmarked

COSTS = ("parameters", "multiply-adds, G", "images/s")


@dataclass(frozen=True)
class Compared:
    """One method.

    Attributes:
        name: what it is called.
        cost: of one image.
        metrics: means over the images by metric name.
        task: means over the seeds by the task's metric names; empty where no task judged.
    """

    name: str
    cost: Cost
    metrics: Mapping[str, float]
    task: Mapping[str, float] = field(default_factory=dict)


def as_csv(methods: list[Compared]) -> str:
    """Comma-separated values, a row per method; ``task/`` before the names of the task's metrics."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    first = methods[0]
    writer.writerow(
        ["method", "parameters", "multiply_adds", "images_per_second", *first.metrics]
        + [f"task/{name}" for name in first.task]
    )
    for method in methods:
        cost = method.cost
        row = [method.name, cost.parameters, cost.multiply_adds, f"{cost.images_per_second:.4g}"]
        values = [*method.metrics.values(), *(method.task.get(name, math.nan) for name in first.task)]
        writer.writerow([*row, *(f"{value:.6g}" for value in values)])
    return text.getvalue()


def as_markdown(methods: list[Compared]) -> str:
    """A Markdown table: best bold, second best underlined."""
    header, *rows = _rows(methods, "md")
    return markdown([list(map(unmarked, header)), *([unmarked(row[0]), *row[1:]] for row in rows)])


def as_latex(methods: list[Compared]) -> str:
    """A LaTeX table: best bold, second best underlined."""
    header, *rows = _rows(methods, "latex")
    return latex([list(map(escaped, header)), *([escaped(row[0]), *row[1:]] for row in rows)])


def _rows(methods: list[Compared], style: str) -> list[list[str]]:
    first = methods[0]
    arrows = [f"{name} {METRICS[name].arrow}" for name in first.metrics]
    rows = [["method", *COSTS, *arrows, *(f"{name} ↑" for name in first.task)]]
    columns = [
        _column([method.metrics[name] for method in methods], METRICS[name].higher_is_better, style)
        for name in first.metrics
    ]
    columns += [_column([method.task.get(name, math.nan) for method in methods], True, style) for name in first.task]
    for number, method in enumerate(methods):
        cost = method.cost
        costs = [f"{cost.parameters:,}", f"{cost.multiply_adds / 1e9:.3g}", f"{cost.images_per_second:.3g}"]
        rows.append([method.name, *costs, *(column[number] for column in columns)])
    return rows


def _column(values: list[float], higher_is_better: bool, style: str) -> list[str]:
    by_place = {str(place): value for place, value in enumerate(values)}
    places = ranks(by_place, higher_is_better=higher_is_better)
    return [marked(_text(value), places.get(place), style, methods=len(places)) for place, value in by_place.items()]


def _text(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4g}"
