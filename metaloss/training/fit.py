"""The training loop of the library (TDFusion, Algorithm 1)."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import Dataset

from metaloss.data.views import Size, as_size
from metaloss.errors import CheckpointError, ConfigError, at_least
from metaloss.runtime import files
from metaloss.runtime.interrupts import Interrupted
from metaloss.runtime.modes import flags_kept
from metaloss.runtime.processes import average_buffers, rank, take_from_first, world_size
from metaloss.runtime.progress_bar import Advance, progress_bar
from metaloss.runtime.signals import StopRequest, stop_requests
from metaloss.training.changes import run_of
from metaloss.training.epoch import EpochLog, EpochRun, fetched
from metaloss.training.parts import PARTS
from metaloss.training.schedule import Order, Schedule
from metaloss.training.store import Store
from metaloss.training.trained import Trained
from metaloss.training.waiting import Waiting

Callback: TypeAlias = Callable[[Any, EpochLog], Any]


def fit(
    learner: Trained,
    dataset: Dataset[Any],
    epochs: int,
    meta_steps: int,
    warmup_epochs: int = 0,
    batch_size: int = 2,
    fusion_crop: int | Size | None = None,
    task_size: int | Size | None = None,
    exchange: bool = True,
    num_workers: int = 0,
    work_dir: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    allow_changes: bool = False,
    keep: int | None = 3,
    save_best: str | None = None,
    callbacks: Sequence[Callback] = (),
    schedule: Order = "phases",
) -> list[EpochLog]:
    """Trains by Algorithm 1: per epoch ``meta_steps`` meta steps and one pass of fusion steps.

    Each epoch splits the data into two disjoint halves, meta-train and meta-test, each cycled with reshuffling.
    Warm-up epochs are fusion steps only.

    With a ``work_dir``, SIGTERM and SIGINT (Ctrl-C) let the step end, write a checkpoint, and leave Python with status
    143 or 130; ``resume=True`` goes on from that step, bit for bit.

    Args:
        learner: F, L_f and T with their optimizers.
        dataset: items with the keys of :class:`metaloss.FusionBatch`.
        epochs: L, counted from the start of training, also after a resume.
        meta_steps: M.
        warmup_epochs: first epochs without meta steps; the schedulers of G's optimizer wait for their end.
        batch_size: scenes per batch, of each process.
        fusion_crop: height and width of the random crop that the fusion loss sees.
        task_size: height and width that the task's view is resized to.
        exchange: permute the sources in half of each batch.
        num_workers: processes that load data.
        work_dir: where ``epoch_N.pth`` is written after every epoch; ``None``: nowhere.
        resume: go on from the newest whole checkpoint in ``work_dir``, if there is one.
        overwrite: remove the checkpoints of a run that is in ``work_dir`` already.
        allow_changes: resume with other data or settings than those that the checkpoint was written with.
        keep: how many of the newest checkpoints stay; ``None``: all.
        save_best: a name of the epoch's log, to which callbacks may add, as ``log["mIoU"] = ...``; the best epoch's
            checkpoint stays as ``best_NAME_epoch_N.pth``. Of names with "loss" in them the least is best.
        callbacks: called after each epoch as ``callback(learner, log)``, before its checkpoint is written.
        schedule: ``"phases"``, an epoch's meta steps before its fusion steps as published; or ``"interleaved"``, spread
            evenly between them, so that the loss generator never runs ahead of F and T.

    Returns:
        One mapping of means per epoch, from the first.

    Raises:
        ConfigError: a number out of its range, options that contradict each other, or a used ``work_dir``.
        CheckpointError: what is there cannot be gone on with.
        DataError: fewer than two items, or a crop larger than an image.
        MetaGradientError: a step is not finite, see ``on_nonfinite``.
        Interrupted: a signal has ended the run, whose state is saved; a ``SystemExit``.
    """
    for name, number, least in (("epochs", epochs, 0), ("batch_size", batch_size, 1), ("num_workers", num_workers, 0)):
        at_least(name, number, least, "fit")
    if keep is not None:
        at_least("keep", keep, 1, "fit")
    if resume and overwrite:
        raise ConfigError("resume=True and overwrite=True: choose whether the run in work_dir goes on or is removed")
    if work_dir is None:
        for name, given in (("resume", resume), ("overwrite", overwrite), ("allow_changes", allow_changes)):
            if given:
                raise ConfigError(f"fit({name}=True) needs work_dir, where the checkpoints are")
        if save_best is not None:
            raise ConfigError(f"fit(save_best={save_best!r}) needs work_dir, where the best checkpoint would be")
    elif not str(work_dir):
        raise ConfigError("work_dir='': give a folder, or None for none")
    _check_schedulers(learner)

    with ExitStack() as stack:
        # before the folder is there: who sees it may send a signal
        stop = StopRequest() if work_dir is None else stack.enter_context(stop_requests())
        store = None if work_dir is None else stack.enter_context(Store.opened(Path(work_dir), keep, save_best))
        content = store.newest() if store is not None and resume else None
        content = None if content is None else _with_seed(content)
        if store is not None and not resume and not overwrite:
            store.check_unused("resume=True", "overwrite=True")
        if content is None and learner.progress["seed"] is None:
            learner.progress["seed"] = int(torch.randint(2**62, ()))
        planned = Schedule.of(
            learner,
            dataset,
            meta_steps=meta_steps,
            warmup_epochs=warmup_epochs,
            order=schedule,
            batch_size=batch_size,
            fusion_crop=as_size(fusion_crop),
            task_size=as_size(task_size),
            exchange=exchange,
            seed=_shared_seed(learner, content),
            num_workers=num_workers,
        )
        run = run_of(learner, planned)
        if store is not None:
            store.take_up(learner, content, run, allow_changes=allow_changes, option="allow_changes=True", say=_say)
        learner.run = run
        if store is not None and overwrite:
            store.clear()
        if world_size() > 1:
            _start_alike(learner)
        stack.enter_context(flags_kept(*(getattr(learner, name) for name in PARTS)))
        if rank() > 0:  # process 0 says the same
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
        for name in PARTS:
            getattr(learner, name).train()
        waiting = Waiting(num_workers, "num_workers")
        advance = stack.enter_context(_bar(learner, planned, epochs))
        while learner.progress["epoch"] < epochs:
            _epoch(learner, planned, epochs, stop, store, callbacks, waiting, advance)
        if store is not None:
            store.check_best(learner.progress["log"])
    return list(learner.progress["log"])


def _check_schedulers(learner: Trained) -> None:
    if any(isinstance(scheduler, ReduceLROnPlateau) for scheduler in learner.schedulers):
        raise ConfigError(
            "schedulers: ReduceLROnPlateau wants a metric, and fit gives its schedulers none: leave it out there, and "
            "step it in a callback, as callbacks=[lambda learner, log: plateau.step(log['task_loss'])]"
        )


def _bar(learner: Trained, schedule: Schedule, epochs: int) -> AbstractContextManager[Advance]:
    """A progress bar over the steps that are left of all epochs, where process 0 has a terminal."""
    if rank() > 0:
        return nullcontext(lambda note: None)
    steps = sum(schedule.length(number) for number in range(learner.progress["epoch"], epochs))
    return progress_bar("training", steps - learner.progress["step"])


def _epoch(
    learner: Trained,
    schedule: Schedule,
    epochs: int,
    stop: StopRequest,
    store: Store | None,
    callbacks: Sequence[Callback],
    waiting: Waiting,
    advance: Advance,
) -> None:
    epoch, device, began = EpochRun(learner, schedule, epochs), _device(learner), time.monotonic()
    label = f"epoch {epoch.number + 1}/{epochs}"
    for phase, batches in fetched(waiting.timed(epoch.steps()), stop):
        values = epoch.take(phase, *(batch.to(device) for batch in batches))
        told = next(key for key in ("outer_loss", "loss", "task_loss") if key in values)
        advance(f"{label}, {phase} phase, {told.replace('_', ' ')} {float(values[told]):.3f}")
        if stop.everywhere(device):
            break
    if number := stop.everywhere(device):
        begun = epoch.number or epoch.done
        _end(number, learner, None if store is None or not begun else store.save(learner))
    for name in PARTS:
        average_buffers(getattr(learner, name))
    log = epoch.close()
    _step_schedulers(learner, loss="meta" in schedule.phases(epoch.number))
    for callback in callbacks:  # before the file: what they draw and add belongs to the epoch
        callback(learner, log)
    log.update(files.as_plain({name: _number(value) for name, value in log.items()}, "the epoch's log"))
    if rank() == 0:
        _say(f"{label}: {_shown(log)}, {time.monotonic() - began:.0f} s")
        if advice := waiting.advice():
            _say(f"{label}: {advice}")
    path = None if store is None else store.save(learner)
    if number := stop.everywhere(device):
        _end(number, learner, path)


def _step_schedulers(learner: Trained, *, loss: bool) -> None:
    """Steps the schedulers; those of the loss only after epochs in which it learns."""
    with warnings.catch_warnings():  # torch misses steps that were taken before a resume
        warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step")
        for scheduler in learner.schedulers:
            if loss or scheduler.optimizer is not learner.optimizers["loss"]:
                scheduler.step()


def _end(number: int, learner: Trained, path: Path | None) -> None:
    """Ends the run for a signal, now that its state is saved."""
    epoch, step = learner.progress["epoch"], learner.progress["step"]
    where = f"epoch {epoch + 1}, step {step}" if step else f"epoch {epoch}"
    words = f"stopped after {where}; saved {path}: resume=True goes on from there"
    met = Interrupted(number, words if path is not None else "stopped before the first step; nothing was written")
    if rank() == 0:
        _say(str(met))
    raise met


def _number(value: Any) -> Any:
    """A number of any library as Python's; anything else as it is."""
    return value.item() if isinstance(value, torch.Tensor) and value.numel() == 1 else value


def _shown(log: EpochLog) -> str:
    shown = {name: f"{value:.4g}" if isinstance(value, (int, float)) else str(value) for name, value in log.items()}
    return ", ".join(f"{name} {value}" for name, value in shown.items() if name != "epoch")


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _device(learner: Trained) -> torch.device:
    return next((param.device for param in learner.fusion.parameters()), torch.device("cpu"))


def _shared_seed(learner: Trained, content: Mapping[str, Any] | None) -> int:
    """The seed of the run that goes on, or the one that process 0 has drawn."""
    if content is None:
        drawn = torch.tensor(learner.progress["seed"], device=_device(learner))
        take_from_first([drawn])
        learner.progress["seed"] = int(drawn)
        return int(drawn)
    seed: int = content["progress"]["seed"]
    return seed


def _with_seed(content: dict[str, Any]) -> dict[str, Any]:
    """Draws the seed of a checkpoint that was written before its training began, as the training would have."""
    if content["progress"]["seed"] is not None:
        return content
    before = files.random_state()
    files.restore_random_state(content["random"])
    progress = {**content["progress"], "seed": int(torch.randint(2**62, ()))}
    content = {**content, "progress": progress, "random": files.random_state()}
    files.restore_random_state(before)
    return content


def _start_alike(learner: Trained) -> None:
    """Gives every process the networks of process 0."""
    progress = learner.progress
    place = torch.tensor([progress["epoch"], progress["step"]], device=_device(learner))
    first = place.clone()
    take_from_first([first])
    if not torch.equal(first, place):
        raise CheckpointError(
            f"process {rank()} would go on after epoch {progress['epoch']} and process 0 after epoch {int(first[0])}: "
            "work_dir has to be one folder that all of them see"
        )
    for name in PARTS:
        module = getattr(learner, name)
        take_from_first([*module.parameters(), *([] if progress["step"] else module.buffers())])
