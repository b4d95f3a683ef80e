"""``metaloss train --dry-run``: everything that a training does, once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from torch import Tensor

from metaloss.cli.engine import load_engine
from metaloss.cli.train_checks import check_start
from metaloss.data import Resized, as_size, collate
from metaloss.training.parts import Phase
from metaloss.training.schedule import Schedule

Result = TypeVar("Result")
_SHOWN = ("inner_loss", "outer_loss", "loss", "task_loss")


def dry_run(config: Any, model: Any, schedule: Schedule | None) -> Iterator[str]:
    """Takes one step of each phase, and fuses one scene of the validation, on the device of a training.

    Args:
        config: the training config.
        model: F, G and T with their optimizers, as :func:`metaloss.cli.train.check` leaves them.
        schedule: of the training; ``None`` with another loop than ours.

    Yields:
        Lines that say what was done, as it is done.

    Raises:
        MetaLossError: a step fails, of the kind of what is wrong.
    """
    engine = load_engine("train")
    if config.get("load_from"):
        engine.load_weights(model, check_start(config.load_from))
    model.to(engine.device()).train()
    parts = {"fusion network": model.fusion, "loss": model.loss, "task": model.task}
    weights = {name: sum(each.numel() for each in part.parameters()) for name, part in parts.items()}
    built = ", ".join(f"{name} {type(parts[name]).__name__} with {count:,}" for name, count in weights.items())
    yield f"built on {engine.device()}: {built} parameters"
    if schedule is None:
        yield f"train_cfg.type={config.train_cfg.type!r} is no loop of metaloss: no step was taken"
        return
    epochs = config.train_cfg.max_epochs
    epoch = min(schedule.warmup_epochs, epochs - 1)
    seconds: dict[Phase, float] = {}
    model.learner.begin_epoch(epoch, epochs)
    for phase in schedule.phases(epoch):
        batches = _first(schedule, epoch, phase)
        if batches is None:
            continue
        values, seconds[phase] = _timed(partial(_step, model, phase, batches))
        shown = ", ".join(f"{name} {values[name]:.4g}" for name in _SHOWN if name in values)
        height, width = batches[0].sources[0].shape[-2:]
        yield f"{phase} step on {len(batches[0])} scenes of {height}x{width}: {seconds[phase]:.2g} s, {shown}"
    if config.get("val_dataloader") is not None:
        scene = Resized(
            engine.build_dataset(config, "val_dataloader"), as_size((config.get("val_cfg") or {}).get("task_size"))
        )[0]
        _, taken = _timed(lambda: model.val_step(collate([scene])))
        yield f"validation of one scene: {taken:.2g} s"
    yield _whole(schedule, epochs, seconds)


def _first(schedule: Schedule, epoch: int, phase: Phase) -> tuple[Any, ...] | None:
    """The first batches of a phase, loaded here; ``None`` where it has no steps."""
    episodes = replace(schedule.episodes, num_workers=0)
    if phase == "fusion":
        return (next(episodes.fusion(epoch)),)
    return next(episodes.meta(epoch), None)


def _step(model: Any, phase: Phase, batches: tuple[Any, ...]) -> dict[str, float]:
    values: dict[str, Tensor] = model.learner.step(phase, *map(model.on_device, batches))
    return {name: float(value) for name, value in values.items()}  # which waits for the device


def _timed(call: Callable[[], Result]) -> tuple[Result, float]:
    begin = time.perf_counter()
    result = call()
    return result, time.perf_counter() - begin


def _whole(schedule: Schedule, epochs: int, seconds: dict[Phase, float]) -> str:
    counts = [schedule.counts(epoch) for epoch in range(epochs)]
    total = sum(seconds.get(phase, 0.0) * count for each in counts for phase, count in each.items())
    last = " and ".join(f"{count} {phase} steps" for phase, count in counts[-1].items())
    hours, minutes = int(total // 3600), round(total % 3600 / 60)
    spoken = f"{hours} h {minutes} min" if hours else f"{minutes} min" if total >= 60 else f"{total:.0f} s"
    return (
        f"a training of {epochs} epoch{'s' * (epochs != 1)}, the last with {last}: about {spoken} without validations, "
        "by these first steps, which are slower than later ones"
    )
