"""The numbers that a training has logged: its files of scalars, and the log in its checkpoints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

META, FUSION, VALIDATION = "epoch/meta/", "epoch/fusion/", "epoch/val/"
_OF_META = ("inner_loss", "task_inner_loss", "outer_loss")
_OF_FUSION = re.compile(r"loss|intensity|gradient|task_loss|entropy|weight_\d+")
_IDLE = {"step", "iter", "epoch", "time", "data_time", "memory"}

Points = dict[int, float]
"""Values by epoch or by step."""
Series = dict[str, Points]
"""By name, and then by epoch or by step."""


@dataclass
class Scalars:
    """What a training has logged.

    Attributes:
        epochs: by epoch, 0 being before the training: means of phases as ``epoch/PHASE/NAME``, validations by their
            own names.
        steps: by step, means of the last few steps as ``PHASE/NAME``.
        notes: what could not be read.
        begins: by start the first epoch that it knows of.
    """

    epochs: Series = field(default_factory=dict)
    steps: Series = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    begins: dict[Path, int] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """The last epoch of which anything is known; 0 before the first has ended."""
        return max((epoch for values in self.epochs.values() for epoch in values), default=0)


def read_scalars(files: Iterable[Path]) -> Scalars:
    """Reads the files of a run's starts; where a later start went back, it takes the place of what was there.

    Args:
        files: ``scalars.json`` of each start, in the order in which they were written.
    """
    found = Scalars()
    for file in files:
        _take_in(file, found)
    return found


def _take_in(file: Path, found: Scalars) -> None:
    phases: Series = {}
    validations: Series = {}
    steps: Series = {}
    trained: set[int] = set()
    validated: set[int] = set()
    damaged: list[int] = []
    for number, line in enumerate(file.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            step = int(values["step"])
            epoch = int(values["epoch"]) if "iter" in values else step
        except (ValueError, TypeError, KeyError):
            damaged.append(number)
            continue
        of_phase = any(name.startswith((META, FUSION)) for name in values)
        series = steps if "iter" in values else phases if of_phase else validations
        (validated if series is validations else trained).add(epoch)
        for name, value in values.items():
            if name not in _IDLE and isinstance(value, (int, float)) and not isinstance(value, bool):
                series.setdefault(name, {})[step] = float(value)
    if damaged:
        lines = "line" if len(damaged) == 1 else "lines"
        shown = ", ".join(map(str, damaged[:5])) + (", ..." if len(damaged) > 5 else "")
        found.notes.append(f"{file.parent.parent.name}/vis_data/{file.name}: {lines} {shown} damaged, and left out")
    if trained or validated:
        # a start that goes on may first validate what the one before it has trained
        first = min(trained) if trained else min(validated) + 1
        found.begins[file] = min(validated) if validated else first
        _drop(found.epochs, first, of_phases=True)
        _drop(found.epochs, found.begins[file], of_phases=False)
        again = min((step for values in steps.values() for step in values), default=0 if first <= 1 else None)
        if again is not None:
            _drop(found.steps, again)
        for whole, own in ((found.epochs, phases), (found.epochs, validations), (found.steps, steps)):
            for name, points in own.items():
                whole.setdefault(name, {}).update(points)


def _drop(whole: Series, begin: int, *, of_phases: bool | None = None) -> None:
    """Removes what earlier starts had from an epoch or a step on: of phases, of validations, or of both."""
    for name in list(whole):
        if of_phases is None or name.startswith((META, FUSION)) == of_phases:
            whole[name] = {step: value for step, value in whole[name].items() if step < begin}
            if not whole[name]:
                del whole[name]


def add_log(scalars: Scalars, log: Iterable[Mapping[str, Any]]) -> None:
    """Adds from a checkpoint's log what the files do not have.

    Args:
        scalars: what is known.
        log: of each epoch the means, with what callbacks have added.
    """
    for values in log:
        epoch = values.get("epoch")
        if not isinstance(epoch, int):
            continue
        for name, value in values.items():
            if name not in _IDLE and isinstance(value, (int, float)) and not isinstance(value, bool):
                scalars.epochs.setdefault(_in_full(name), {}).setdefault(epoch, float(value))


def _in_full(name: str) -> str:
    if name in _OF_META:
        return META + name
    return FUSION + name if _OF_FUSION.fullmatch(name) else name
