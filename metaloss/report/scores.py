"""Scores of fused images, as tables for people and for programs."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from metaloss.metrics import METRICS

MEAN = "mean"


@dataclass(frozen=True)
class Score:
    """The metrics of one image, or their mean, for one method.

    Attributes:
        image: the image's name, or ``"mean"``.
        method: which fused images.
        values: by metric name.
    """

    image: str
    method: str
    values: dict[str, float]


def with_means(scores: Sequence[Score]) -> list[Score]:
    """Adds one mean row per method behind the image rows; values that are not defined do not count."""
    methods = list(dict.fromkeys(score.method for score in scores))
    means = []
    for method in methods:
        rows = [score.values for score in scores if score.method == method]
        values = {}
        for name in rows[0]:
            defined = [row[name] for row in rows if not math.isnan(row[name])]
            values[name] = sum(defined) / len(defined) if defined else math.nan
        means.append(Score(MEAN, method, values))
    return [*scores, *means]


def as_csv(scores: Sequence[Score], convention: str) -> str:
    """Comma-separated values: ``image,method,convention,EN,...``, one row per image, then the means."""
    text = io.StringIO()
    names = list(scores[0].values)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "method", "convention", *names])
    for score in scores:
        values = (f"{score.values[name]:.6g}" for name in names)
        writer.writerow([score.image, score.method, convention, *values])
    return text.getvalue()


def as_json(scores: Sequence[Score], convention: str) -> str:
    """A list of objects with the columns of :func:`as_csv`; undefined values are ``null``."""
    rows = [
        {
            "image": score.image,
            "method": score.method,
            "convention": convention,
            **{name: None if math.isnan(value) else value for name, value in score.values.items()},
        }
        for score in scores
    ]
    return json.dumps(rows, indent=2) + "\n"


def as_markdown(scores: Sequence[Score], convention: str) -> str:
    """The means as a Markdown table: best bold, second best underlined."""
    means = [score for score in scores if score.image == MEAN]
    marks = {1: "**{}**", 2: "<u>{}</u>"}
    lines = [f"Convention: {convention}\n", "| method | " + " | ".join(_titles(means, "↑", "↓")) + " |"]
    lines.append("|---" * (len(means[0].values) + 1) + "|")
    lines += [f"| {mean.method} | " + " | ".join(_cells(means, mean, marks)) + " |" for mean in means]
    return "\n".join(lines) + "\n"


def as_latex(scores: Sequence[Score], convention: str) -> str:
    """The means as a LaTeX table, as in the papers: best bold, second best underlined."""
    means = [score for score in scores if score.image == MEAN]
    marks = {1: r"\textbf{{{}}}", 2: r"\underline{{{}}}"}
    columns = "l" + "r" * len(means[0].values)
    lines = [f"% convention: {convention}", rf"\begin{{tabular}}{{{columns}}}", r"\hline"]
    lines.append("Method & " + " & ".join(_titles(means, r"$\uparrow$", r"$\downarrow$")) + r" \\")
    lines.append(r"\hline")
    lines += [_escaped(mean.method) + " & " + " & ".join(_cells(means, mean, marks)) + r" \\" for mean in means]
    return "\n".join([*lines, r"\hline", r"\end{tabular}"]) + "\n"


def as_table(scores: Sequence[Score], convention: str) -> str:
    """The means as plain aligned text, and the images' own values above them when there is one method."""
    means = [score for score in scores if score.image == MEAN]
    shown = scores if len(means) == 1 else means
    titles = ["image" if len(means) == 1 else "method", *_titles(means, "↑", "↓")]
    marks = {1: "{}*", 2: "{}'"} if len(means) > 1 else {}
    rows = [[score.image if len(means) == 1 else score.method, *_cells(means, score, marks)] for score in shown]
    widths = [max(len(row[column]) for row in [titles, *rows]) for column in range(len(titles))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in [titles, *rows]
    ]
    legend = "; * best, ' second best" if marks else ""
    return "\n".join([f"convention: {convention}{legend}", *lines]) + "\n"


FORMATS: dict[str, Callable[[Sequence[Score], str], str]] = {
    "table": as_table,
    "csv": as_csv,
    "json": as_json,
    "md": as_markdown,
    "latex": as_latex,
}


def ranks(means: Sequence[Score], name: str) -> dict[str, int]:
    """Ranks the methods by one metric, 1 for the best; undefined values have no rank, equal ones share it."""
    sign = -1 if METRICS[name].higher_is_better else 1
    values = {mean.method: sign * mean.values[name] for mean in means if not math.isnan(mean.values[name])}
    ordered = sorted(set(values.values()))
    return {method: ordered.index(value) + 1 for method, value in values.items()}


def _titles(means: Sequence[Score], up: str, down: str) -> list[str]:
    return [f"{name} {up if METRICS[name].higher_is_better else down}" for name in means[0].values]


def _cells(means: Sequence[Score], score: Score, marks: dict[int, str]) -> list[str]:
    cells = []
    for name, value in score.values.items():
        text = "-" if math.isnan(value) else f"{value:.4g}"
        rank = ranks(means, name).get(score.method) if len(means) > 1 else None
        cells.append(marks.get(rank or 0, "{}").format(text))
    return cells


def _escaped(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "&%$#_{}" else letter for letter in text)
