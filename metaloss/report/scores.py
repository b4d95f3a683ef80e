"""Scores of fused images, as tables for people and for programs."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from metaloss.metrics import METRICS
from metaloss.report.tables import LEGEND, aligned, escaped, latex, markdown, marked
from metaloss.report.tables import ranks as rank_values

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
    return f"Convention: {convention}\n\n{markdown(_rows(_means(scores), 'md', 'method'))}"


def as_latex(scores: Sequence[Score], convention: str) -> str:
    """The means as a LaTeX table, as in the papers: best bold, second best underlined."""
    rows = _rows(_means(scores), "latex", "Method")
    return f"% convention: {convention}\n" + latex([[escaped(row[0]), *row[1:]] for row in rows])


def as_table(scores: Sequence[Score], convention: str) -> str:
    """The means as plain aligned text, and the images' own values above them when there is one method."""
    means = _means(scores)
    if len(means) > 1:
        return f"convention: {convention}; {LEGEND}\n{aligned(_rows(means, 'table', 'method'))}"
    rows = [["image", *_titles(means)], *([score.image, *_cells(means, score, "table")] for score in scores)]
    return f"convention: {convention}\n{aligned(rows)}"


FORMATS: dict[str, Callable[[Sequence[Score], str], str]] = {
    "table": as_table,
    "csv": as_csv,
    "json": as_json,
    "md": as_markdown,
    "latex": as_latex,
}


def ranks(means: Sequence[Score], name: str) -> dict[str, int]:
    """Ranks the methods by one metric, 1 for the best; undefined values have no rank, equal ones share it."""
    values = {mean.method: mean.values[name] for mean in means}
    return rank_values(values, higher_is_better=METRICS[name].higher_is_better)


def _means(scores: Sequence[Score]) -> list[Score]:
    return [score for score in scores if score.image == MEAN]


def _rows(means: Sequence[Score], style: str, corner: str) -> list[list[str]]:
    return [[corner, *_titles(means)], *([mean.method, *_cells(means, mean, style)] for mean in means)]


def _titles(means: Sequence[Score]) -> list[str]:
    return [f"{name} {METRICS[name].arrow}" for name in means[0].values]


def _cells(means: Sequence[Score], score: Score, style: str) -> list[str]:
    cells = []
    for name, value in score.values.items():
        text = "-" if math.isnan(value) else f"{value:.4g}"
        cells.append(marked(text, ranks(means, name).get(score.method) if len(means) > 1 else None, style))
    return cells
