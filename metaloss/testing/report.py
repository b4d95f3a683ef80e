"""What a contract check found, point by point."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from metaloss.errors import ConfigError

Outcome = Literal["passed", "failed", "noted", "skipped"]


class Failure(Exception):
    """A point of the contract is not kept; the message says how, in plain words."""


@dataclass(frozen=True)
class Point:
    """One point of the contract.

    Attributes:
        name: what was looked at.
        outcome: ``"noted"`` is no failure, but worth knowing; ``"skipped"`` could not be looked at.
        detail: what was found.
    """

    name: str
    outcome: Outcome
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.outcome}: {self.name}{': ' * bool(self.detail)}{self.detail}"


class Report:
    """Collects points; ``print(report)`` shows one line for each.

    Args:
        subject: the name of what is checked.

    Attributes:
        points: in the order of the checks.
    """

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.points: list[Point] = []

    @contextmanager
    def point(self, name: str) -> Iterator[None]:
        """Runs one check: an exception inside is that point's failure, and the next check still runs."""
        try:
            yield
        except Failure as failure:
            self.points.append(Point(name, "failed", str(failure)))
        except Exception as error:  # the author's code may raise anything
            self.points.append(Point(name, "failed", f"{type(error).__name__}: {' '.join(str(error).split())}"))
        else:
            self.points.append(Point(name, "passed"))

    def note(self, name: str, detail: str, outcome: Outcome = "noted") -> None:
        """Adds a point that is no failure."""
        self.points.append(Point(name, outcome, detail))

    def verdict(self) -> Report:
        """Gives the report, if every point is kept.

        Raises:
            ConfigError: naming every failed point.
        """
        failed = [point for point in self.points if point.outcome == "failed"]
        if failed:
            lines = "".join(f"\n- {point.name}: {point.detail}" for point in failed)
            raise ConfigError(f"{self.subject} fails {len(failed)} of {len(self.points)} checks:{lines}")
        return self

    def __str__(self) -> str:
        return "\n".join([self.subject, *map(str, self.points)])
