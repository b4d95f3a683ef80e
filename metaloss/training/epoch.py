"""One epoch of a run, from the step where it stands."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping

from torch import Tensor

from metaloss.batch import FusionBatch
from metaloss.runtime.processes import rank, world_size
from metaloss.runtime.signals import StopRequest
from metaloss.training.parts import Phase
from metaloss.training.schedule import Schedule, Step
from metaloss.training.trained import Trained

EpochLog = dict[str, float]
COLLAPSED = 0.98


class Means:
    """Running means of 0-d tensors over what is finite; nothing is read from the device before :meth:`read`."""

    def __init__(self, state: Mapping[str, Mapping[str, Tensor]] | None = None) -> None:
        state = state or {"sums": {}, "counts": {}}
        self.sums, self.counts = dict(state["sums"]), dict(state["counts"])

    def add(self, values: Mapping[str, Tensor], count: int = 1) -> None:
        """Takes in one step's values, which count as this many."""
        for name, value in values.items():
            there = value.isfinite() * count
            value = value.nan_to_num(0, 0, 0) * there
            self.sums[name] = self.sums[name].to(value.device) + value if name in self.sums else value
            self.counts[name] = self.counts[name].to(value.device) + there if name in self.counts else there

    def read(self) -> EpochLog:
        """The means so far; not a number where nothing was finite."""
        return {
            name: float(total) / float(self.counts[name]) if self.counts[name] else float("nan")
            for name, total in self.sums.items()
        }

    def state(self) -> dict[str, dict[str, Tensor]]:
        """What the next :class:`Means` goes on from."""
        return {"sums": dict(self.sums), "counts": dict(self.counts)}


class EpochRun:
    """One epoch of a learner: which steps are left, and what it leaves in the learner's progress.

    Its ``means`` are those of the ``"epoch"`` and of each of its phases.

    Args:
        learner: whose ``progress`` says which epoch it is, and how many of its steps are done.
        schedule: the steps of every epoch.
        epochs: how many there will be.
    """

    def __init__(self, learner: Trained, schedule: Schedule, epochs: int) -> None:
        self.learner, self.schedule = learner, schedule
        self.number: int = learner.progress["epoch"]
        saved = learner.progress["means"]
        self.means = {name: Means(saved.get(name)) for name in ("epoch", *schedule.phases(self.number))}
        phases = schedule.phase_of_each(self.number)
        self._ends = {len(phases) - phases[::-1].index(phase) for phase in set(phases)}
        learner.begin_epoch(self.number, epochs)

    @property
    def length(self) -> int:
        """How many steps the epoch has."""
        return self.schedule.length(self.number)

    @property
    def done(self) -> int:
        """How many of them are done."""
        return int(self.learner.progress["step"])

    def steps(self) -> Iterator[Step]:
        """Gives the steps that are left; each has to be taken by :meth:`take` before the next."""
        yield from self.schedule.steps(self.number, skip=self.done)

    def take(self, phase: Phase, *batches: FusionBatch) -> dict[str, Tensor]:
        """Takes a step, and counts it."""
        values = self.learner.step(phase, *batches)
        for name in ("epoch", phase):
            self.means[name].add(values)
        self.learner.progress["step"] += 1
        self.learner.progress["means"] = {name: means.state() for name, means in self.means.items()}
        return values

    @property
    def ends_phase(self) -> bool:
        """Whether the step that was taken last was the last of its phase in this epoch."""
        return self.done in self._ends

    def close(self) -> EpochLog:
        """Ends the epoch in the learner's progress, and warns of weights that have collapsed.

        Returns:
            The epoch's means, which are in ``progress["log"]`` as well.
        """
        log = {"epoch": self.number + 1, **self.means["epoch"].read()}
        progress = self.learner.progress
        progress.update(epoch=self.number + 1, step=0, means={})
        progress["log"].append(log)
        if rank() == 0:
            warn_of_collapse(log)
        return log


def fetched(steps: Iterator[Step], stop: StopRequest) -> Iterator[Step]:
    """Gives steps until a signal has ended what loads their data: it may reach the workers of a data loader as well.

    Raises:
        RuntimeError: a worker has died, and nobody has asked the run to end.
    """
    while True:
        try:
            step = next(steps)
        except StopIteration:
            return
        except RuntimeError:
            if stop.number and world_size() == 1:
                return
            raise
        yield step


def warn_of_collapse(log: Mapping[str, float]) -> None:
    """Warns when the weights' mean says that one source has taken over."""
    for name, value in log.items():
        if re.fullmatch(r"weight_\d+", name) and value > COLLAPSED:
            warnings.warn(
                f"the loss weights have collapsed onto source {name.removeprefix('weight_')} (mean {value:.3f}, "
                f"entropy {log['entropy']:.3f}): the fused image will ignore the others; lower the rate of the loss "
                "generator, or begin with warm-up epochs",
                stacklevel=2,
            )
