"""Two methods over the same images: by how much they differ in each metric, and whether that may be chance."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

from metaloss.errors import DataError
from metaloss.metrics import METRICS
from metaloss.report.scores import MEAN, Score, stated
from metaloss.report.tables import aligned, escaped, latex, markdown, unmarked

TEST = "two-sided Wilcoxon signed-rank test over images; Holm: corrected for the number of metrics"


@dataclass(frozen=True)
class Difference:
    """One metric of two methods.

    Attributes:
        metric: its short name.
        first: the mean of one method over the images.
        second: that of the other.
        images: how many have a finite value of both.
        first_better: on how many images the first is the better one.
        second_better: on how many the second is.
        p: how probable differences like these are where the methods do not differ.
        p_holm: the same, corrected for the number of metrics (Holm, 1979).
    """

    metric: str
    first: float
    second: float
    images: int
    first_better: int
    second_better: int
    p: float
    p_holm: float = math.nan


def compare(scores: Sequence[Score], first: str, second: str) -> list[Difference]:
    """Compares two methods image by image.

    Args:
        scores: of images; rows of means are passed over.
        first: a method.
        second: another.

    Returns:
        One difference per metric. Equal values say nothing, and are left out of the test; with no others p is 1, and
        with no images not a number.

    Raises:
        DataError: no image has been measured with both.
    """
    values = {
        method: {score.image: score.values for score in scores if score.method == method and score.image != MEAN}
        for method in (first, second)
    }
    images = [image for image in values[first] if image in values[second]]
    if not images:
        raise DataError(f"no image has been measured with both {first} and {second}")
    found = []
    for name in values[first][images[0]]:
        pairs = [(values[first][image][name], values[second][image][name]) for image in images]
        pairs = [pair for pair in pairs if all(map(math.isfinite, pair))]
        sign = 1 if METRICS[name].higher_is_better else -1
        better = [sign * (one - other) for one, other in pairs]
        found.append(
            Difference(
                metric=name,
                first=_mean([one for one, _ in pairs]),
                second=_mean([other for _, other in pairs]),
                images=len(pairs),
                first_better=sum(value > 0 for value in better),
                second_better=sum(value < 0 for value in better),
                p=signed_rank(better),
            )
        )
    corrected = holm([row.p for row in found])
    return [replace(row, p_holm=p_holm) for row, p_holm in zip(found, corrected, strict=True)]


def signed_rank(differences: Sequence[float]) -> float:
    """The p-value of Wilcoxon's signed-rank test, two-sided.

    It is exact for up to 50 differences of different sizes, and for up to 13 of any; else the normal distribution
    stands in, corrected for ties and continuity.

    Args:
        differences: of pairs; those of 0 are left out.
    """
    from scipy.stats import wilcoxon

    unequal = [value for value in differences if value != 0]
    if not unequal:
        return 1.0 if differences else math.nan
    return float(wilcoxon(unequal, correction=True).pvalue)


def holm(values: Sequence[float]) -> list[float]:
    """Corrects p-values for their number (Holm, 1979); what is not a number stays so and does not count."""
    order = sorted((place for place, value in enumerate(values) if not math.isnan(value)), key=lambda k: values[k])
    corrected, largest = list(values), 0.0
    for number, place in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - number) * values[place]))
        corrected[place] = largest
    return corrected


def as_csv(differences: Sequence[Difference], first: str, second: str, convention: str) -> str:
    """Comma-separated values: ``metric,convention,FIRST,SECOND,images,...``, a row per metric."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    counted = ["images", "better of first", "better of second", "p", "p Holm"]
    writer.writerow(["metric", "convention", first, second, *counted])
    for row in differences:
        numbers = (f"{value:.6g}" for value in (row.first, row.second))
        counts = (row.images, row.first_better, row.second_better)
        writer.writerow([row.metric, convention, *numbers, *counts, f"{row.p:.6g}", f"{row.p_holm:.6g}"])
    return text.getvalue()


def as_json(differences: Sequence[Difference], first: str, second: str, convention: str) -> str:
    """An object with the methods' names and, under ``"metrics"``, a list of :class:`Difference`."""
    rows = [
        {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in asdict(row).items()}
        for row in differences
    ]
    return json.dumps({"first": first, "second": second, "convention": convention, "metrics": rows}, indent=2) + "\n"


def as_markdown(differences: Sequence[Difference], first: str, second: str, convention: str) -> str:
    """A Markdown table, a row per metric."""
    header, *rows = _rows(differences, first, second)
    return f"Convention: {stated(convention)}; {TEST}\n\n{markdown([list(map(unmarked, header)), *rows])}"


def as_latex(differences: Sequence[Difference], first: str, second: str, convention: str) -> str:
    """A LaTeX table, a row per metric."""
    header, *rows = _rows(differences, first, second)
    return f"% convention: {stated(convention)}; {TEST}\n{latex([list(map(escaped, header)), *rows])}"


def as_table(differences: Sequence[Difference], first: str, second: str, convention: str) -> str:
    """Plain aligned text, a row per metric."""
    return f"{first} and {second}, {TEST}\n{aligned(_rows(differences, first, second))}"


FORMATS: dict[str, Callable[..., str]] = {
    "table": as_table,
    "csv": as_csv,
    "json": as_json,
    "md": as_markdown,
    "latex": as_latex,
}
"""By name: each takes the differences, the two methods' names and the convention's."""


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _rows(differences: Sequence[Difference], first: str, second: str) -> list[list[str]]:
    header = ["metric", first, second, f"better: {first}", f"better: {second}", "images", "p", "p (Holm)"]
    rows = [
        [
            f"{row.metric} {METRICS[row.metric].arrow}",
            *("-" if math.isnan(value) else f"{value:.4g}" for value in (row.first, row.second)),
            *map(str, (row.first_better, row.second_better, row.images)),
            *("-" if math.isnan(value) else f"{value:.2g}" for value in (row.p, row.p_holm)),
        ]
        for row in differences
    ]
    return [header, *rows]
