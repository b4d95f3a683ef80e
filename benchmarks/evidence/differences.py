"""Paired differences over seeds: their mean, its standard error, and how many of those it is from zero."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from metaloss.report.seeds import Values


class Difference(NamedTuple):
    """A mean over seeds.

    Attributes:
        mean: of the differences.
        error: its standard error, sample standard deviation / sqrt(n); not a number for one seed.
        seeds: n.
    """

    mean: float
    error: float
    seeds: int

    @property
    def errors(self) -> float:
        """How many standard errors the mean is from zero, with its sign."""
        if self.error == 0:
            return math.nan if self.mean == 0 else math.copysign(math.inf, self.mean)
        return self.mean / self.error

    def cells(self, decimals: int) -> list[str]:
        """Mean, standard error, ratio and number of seeds as table cells."""
        return [
            f"{self.mean:+.{decimals}f}",
            "-" if math.isnan(self.error) else f"{self.error:.{decimals}f}",
            f"{self.errors:+.1f}" if math.isfinite(self.errors) else "-",
            str(self.seeds),
        ]


HEADER = ("mean", "standard error", "in standard errors", "seeds")


def difference(values: Sequence[float]) -> Difference:
    """The mean of differences, one per seed."""
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Difference(statistics.fmean(values), error, len(values))


def paired(values: Values, one: str, other: str, metric: str) -> Difference:
    """A row minus another, seed by seed."""
    return difference([values[one][seed][metric] - values[other][seed][metric] for seed in values[one]])
