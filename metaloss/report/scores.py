"""Scores of fused images, as tables for people and for programs."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from metaloss.metrics import METRICS, get_convention
from metaloss.report.tables import aligned, escaped, latex, legend, markdown, marked, mean_ranks, unmarked
from metaloss.report.tables import ranks as rank_values

MEAN = "mean"
MEAN_RANK = "mean rank"


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


def as_csv(scores: Sequence[Score], convention: str, *, per_image: bool = False) -> str:
    """Comma-separated values: ``image,method,convention,EN,...``, one row per image, then the means."""
    text = io.StringIO()
    names = list(scores[0].values)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "method", "convention", *names])
    for score in scores:
        values = (f"{score.values[name]:.6g}" for name in names)
        writer.writerow([score.image, score.method, convention, *values])
    return text.getvalue()


def as_json(scores: Sequence[Score], convention: str, *, per_image: bool = False) -> str:
    """A list of objects with the columns of :func:`as_csv`; values that are not finite are ``null``."""
    rows = [
        {
            "image": score.image,
            "method": score.method,
            "convention": convention,
            **{name: value if math.isfinite(value) else None for name, value in score.values.items()},
        }
        for score in scores
    ]
    return json.dumps(rows, indent=2) + "\n"


def as_markdown(scores: Sequence[Score], convention: str, *, per_image: bool = False) -> str:
    """The means as a Markdown table: best bold, second best underlined."""
    named = 2 if per_image else 1
    rows = [[*map(unmarked, row[:named]), *row[named:]] for row in _rows(scores, "md", "method", per_image)]
    return f"Convention: {stated(convention)}\n\n{markdown(rows)}"


def as_latex(scores: Sequence[Score], convention: str, *, per_image: bool = False) -> str:
    """The means as a LaTeX table, as in the papers: best bold, second best underlined."""
    named = 2 if per_image else 1
    rows = [
        [*map(escaped, row[:named]), *row[named:]]
        for row in _rows(scores, "latex", "Method", per_image, corner="Image")
    ]
    return f"% convention: {stated(convention)}\n{latex(rows, named=named)}"


def as_table(scores: Sequence[Score], convention: str, *, per_image: bool = False) -> str:
    """The means as plain aligned text, and the images' own values above them when there is one method."""
    methods = len(_means(scores))
    if methods == 1:
        rows = [[row[0], *row[2:]] for row in _rows(scores, "table", "method", per_image=True)]
        return f"convention: {stated(convention)}\n{aligned(rows)}"
    shown = aligned(_rows(scores, "table", "method", per_image), named=2 if per_image else 1)
    return f"convention: {stated(convention)}; {legend(methods)}\n{shown}"


FORMATS: dict[str, Callable[..., str]] = {
    "table": as_table,
    "csv": as_csv,
    "json": as_json,
    "md": as_markdown,
    "latex": as_latex,
}
"""By name: each takes scores with their means, the convention's name, and ``per_image``, whether tables for people
have a row for each image, too."""


def stated(convention: str) -> str:
    """A convention by its name and by what it does with colour."""
    return f"{convention} ({get_convention(convention).of_colour})"


def ranks(means: Sequence[Score], name: str) -> dict[str, int]:
    """Ranks the methods by one metric, 1 for the best; undefined values have no rank, equal ones share it."""
    values = {mean.method: mean.values[name] for mean in means}
    return rank_values(values, higher_is_better=METRICS[name].higher_is_better)


def ranks_in_the_mean(means: Sequence[Score]) -> dict[str, float]:
    """The mean of each method's ranks over the metrics that are defined for all methods, by their directions."""
    columns = []
    for name in means[0].values:
        sign = -1 if METRICS[name].higher_is_better else 1
        columns.append({mean.method: sign * mean.values[name] for mean in means})
    return mean_ranks(columns)


def _means(scores: Sequence[Score]) -> list[Score]:
    return [score for score in scores if score.image == MEAN]


def _rows(scores: Sequence[Score], style: str, method: str, per_image: bool, corner: str = "image") -> list[list[str]]:
    """Header and rows: image by image, if asked for, and the means."""
    means = _means(scores)
    names = list(means[0].values)
    titles = [f"{name} {METRICS[name].arrow}" for name in names]
    compared = len(means) > 1
    head = [corner, method] if per_image else [method]
    rows = [[*head, *titles, *[f"{MEAN_RANK} ↓"] * compared]]
    if per_image:
        by_image: dict[str, list[Score]] = {}
        for score in scores:
            if score.image != MEAN:
                by_image.setdefault(score.image, []).append(score)
        for image, group in by_image.items():
            cells = _cells(group, names, style)
            rows += [[image, score.method, *row, *[""] * compared] for score, row in zip(group, cells, strict=True)]
    overall = ranks_in_the_mean(means)
    places = rank_values(overall, higher_is_better=False)
    for mean, row in zip(means, _cells(means, names, style), strict=True):
        shown = f"{overall[mean.method]:.2f}" if places else "-"
        last = [marked(shown, places.get(mean.method), style, methods=len(places))] * compared
        rows.append([*[MEAN] * per_image, mean.method, *row, *last])
    return rows


def _cells(group: Sequence[Score], names: Sequence[str], style: str) -> list[list[str]]:
    columns = []
    for name in names:
        places = ranks(group, name)
        columns.append(
            [
                marked(
                    "-" if math.isnan(score.values[name]) else f"{score.values[name]:.4g}",
                    places.get(score.method),
                    style,
                    methods=len(places),
                )
                for score in group
            ]
        )
    return [list(row) for row in zip(*columns, strict=True)]
