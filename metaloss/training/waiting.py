"""How much of an epoch goes by while its steps wait for their data."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TypeVar

from metaloss.data.parallel import cores

Step = TypeVar("Step")
_SHARE = 0.3  # of the time of an epoch, from which on more workers help
_SECONDS = 1.0  # waited; what takes less is not worth a word
_WORKERS = 4  # what most data needs at most


class Waiting:
    """Measures the wait for data, epoch by epoch, and says once when it is long.

    Args:
        workers: the processes that load data.
        setting: how a user writes their number, ``"num_workers"`` say.
    """

    def __init__(self, workers: int, setting: str) -> None:
        self.workers, self.setting = workers, setting
        self.waited = self.passed = 0.0
        self._said = False

    def timed(self, steps: Iterator[Step]) -> Iterator[Step]:
        """Gives an epoch's steps, each of which is done when the next is asked for, and measures anew."""
        self.waited = self.passed = 0.0
        began = time.monotonic()
        while True:
            asked = time.monotonic()
            try:
                step = next(steps)
            except StopIteration:
                return
            finally:
                now = time.monotonic()
                self.waited, self.passed = self.waited + now - asked, now - began
            yield step

    @property
    def share(self) -> float:
        """The part of the epoch's time so far that was spent waiting, 0 to 1."""
        return self.waited / self.passed if self.passed else 0.0

    def advice(self) -> str | None:
        """What to do about a long wait; ``None`` where it is not long, or this was said before."""
        if self._said or self.share <= _SHARE or self.waited < _SECONDS:
            return None
        self._said = True
        more = max(self.workers + 1, min(_WORKERS, cores()))
        now = f"now {self.workers}" if self.workers else "now 0: data is loaded between the steps"
        return (
            f"{self.share:.0%} of the epoch's time was spent waiting for data: {self.setting}={more} would load it in "
            f"more processes beside the steps ({now}); smaller files, or a faster disk, help as well"
        )
