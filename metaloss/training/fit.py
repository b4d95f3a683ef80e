"""The training loop of the library (TDFusion, Algorithm 1)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from metaloss.data.views import Size, as_size
from metaloss.errors import CheckpointError, ConfigError
from metaloss.networks.spec import describe
from metaloss.runtime import files
from metaloss.runtime.modes import flags_kept
from metaloss.runtime.processes import average_buffers, rank, take_from_first, world_size
from metaloss.runtime.progress import progress
from metaloss.training.finite import check_weights
from metaloss.training.schedule import Schedule

if TYPE_CHECKING:
    from metaloss.training.learner import MetaLearner

EpochLog: TypeAlias = dict[str, float]
Callback: TypeAlias = "Callable[[MetaLearner, EpochLog], Any]"
COLLAPSED = 0.98


def fit(
    learner: MetaLearner,
    dataset: Dataset[Any],
    *,
    epochs: int,
    meta_steps: int,
    warmup_epochs: int,
    batch_size: int,
    fusion_crop: int | Size | None,
    task_size: int | Size | None,
    exchange: bool,
    num_workers: int,
    work_dir: Path | None,
    resume: bool,
    callbacks: Sequence[Callback],
) -> list[EpochLog]:
    """Trains; see :meth:`metaloss.MetaLearner.fit`."""
    for name, number, least in (
        ("epochs", epochs, 0),
        ("meta_steps", meta_steps, 0),
        ("warmup_epochs", warmup_epochs, 0),
        ("batch_size", batch_size, 1),
        ("num_workers", num_workers, 0),
    ):
        if not isinstance(number, int) or number < least:
            raise ConfigError(f"fit({name}={number!r}): expected a whole number of at least {least}")
    if resume and work_dir is None:
        raise ConfigError("fit(resume=True) needs work_dir, where the checkpoints are")
    modules = (learner.fusion, learner.loss, learner.task)
    with ExitStack() as stack:
        if work_dir is not None and rank() == 0:
            stack.enter_context(files.locked(work_dir))
        if resume and work_dir is not None:
            _resume(learner, work_dir)
        if learner.progress["seed"] is None:
            learner.progress["seed"] = int(torch.randint(2**62, ()))
        if world_size() > 1:
            _start_alike(learner, modules)
        schedule = Schedule.of(
            learner,
            dataset,
            meta_steps=meta_steps,
            warmup_epochs=warmup_epochs,
            batch_size=batch_size,
            fusion_crop=as_size(fusion_crop),
            task_size=as_size(task_size),
            exchange=exchange,
            seed=learner.progress["seed"],
            num_workers=num_workers,
        )
        stack.enter_context(flags_kept(*modules))
        if rank() > 0:  # process 0 says the same
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
        for root in modules:
            root.train()
        while learner.progress["epoch"] < epochs:
            log = _epoch(learner, schedule, epochs)
            learner.progress["log"].append(log)
            warn_of_collapse(log)
            for callback in callbacks:  # before the file: what they draw belongs to the epoch
                callback(learner, log)
            if work_dir is not None:
                _save_once(learner, work_dir / f"epoch_{learner.progress['epoch']}.pth")
    return list(learner.progress["log"])


def _device(learner: MetaLearner) -> torch.device:
    return next((param.device for param in learner.fusion.parameters()), torch.device("cpu"))


def _start_alike(learner: MetaLearner, modules: Iterable[nn.Module]) -> None:
    """Gives every process the networks and the seed of process 0."""
    progress = learner.progress
    start = torch.tensor([progress["epoch"], progress["seed"]], device=_device(learner))
    take_from_first([start])
    epoch, progress["seed"] = start.tolist()
    if epoch != progress["epoch"]:
        raise CheckpointError(
            f"process {rank()} would go on after epoch {progress['epoch']} and process 0 after epoch {epoch}: "
            "work_dir has to be one folder that all of them see"
        )
    for module in modules:
        take_from_first([*module.parameters(), *module.buffers()])


def _epoch(learner: MetaLearner, schedule: Schedule, epochs: int) -> EpochLog:
    number, device, means = learner.progress["epoch"], _device(learner), Means()
    learner.begin_epoch(number, epochs)
    steps = schedule.length(number)
    bar = progress(f"epoch {number + 1}/{epochs}", steps) if rank() == 0 else nullcontext(lambda note: None)
    with bar as advance:
        for phase, batches in schedule.steps(number):
            means.add(learner.step(phase, *(batch.to(device) for batch in batches)))
            advance("")
    for module in (learner.fusion, learner.loss, learner.task):
        average_buffers(module)
    for scheduler in learner.schedulers:
        scheduler.step()
    learner.progress["epoch"] = number + 1
    return {"epoch": number + 1, **means.read()}


class Means:
    """Running means of 0-d tensors over what is finite; nothing is read from the device before :meth:`read`."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, Tensor] = {}

    def add(self, values: Mapping[str, Tensor], count: int = 1) -> None:
        """Takes in one step's values, which count as this many."""
        for name, value in values.items():
            there = value.isfinite() * count
            value = value.nan_to_num(0, 0, 0) * there
            self.sums[name] = self.sums[name] + value if name in self.sums else value
            self.counts[name] = self.counts[name] + there if name in self.counts else there

    def read(self) -> EpochLog:
        """The means so far; not a number where nothing was finite."""
        return {
            name: float(total) / float(self.counts[name]) if self.counts[name] else float("nan")
            for name, total in self.sums.items()
        }


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


def save(learner: MetaLearner, path: Path) -> None:
    """Writes the learner's whole state, never half, with what it takes to rebuild F and G.

    Raises:
        MetaGradientError: weights that are not finite; nothing is written.
    """
    check_weights({"fusion": learner.fusion, "loss": learner.loss, "task": learner.task})
    files.save(path, {**learner.state_dict(), "metaloss": describe(learner)})


def _save_once(learner: MetaLearner, path: Path) -> None:
    """Lets process 0 write, and the others wait until it has."""
    if rank() == 0:
        save(learner, path)
    take_from_first([torch.zeros((), device=_device(learner))])


def checkpoints(work_dir: Path) -> list[Path]:
    """The checkpoints in a folder, the newest epoch first."""
    found = [
        (int(match[1]), path)
        for path in work_dir.glob("epoch_*.pth")
        if (match := re.fullmatch(r"epoch_(\d+)\.pth", path.name))
    ]
    return [path for _, path in sorted(found, reverse=True)]


def newest(work_dir: Path) -> Path | None:
    """The checkpoint of the last epoch in a folder."""
    return next(iter(checkpoints(work_dir)), None)


def newest_whole(work_dir: Path) -> tuple[Path, dict[str, Any]] | None:
    """Reads the newest checkpoint in a folder that is whole; warns of newer ones that are damaged.

    Raises:
        CheckpointError: there are some, and all are damaged.
    """
    damaged: list[str] = []
    for path in checkpoints(work_dir):
        try:
            content = files.load(path)
        except CheckpointError as error:
            damaged.append(str(error))
            continue
        if damaged:
            warnings.warn(f"{'; '.join(damaged)}; going on from {path}", stacklevel=2)
        return path, content
    if damaged:
        raise CheckpointError(
            f"{'; '.join(damaged)}; no other is there: remove {'it' if len(damaged) == 1 else 'them'} to start again"
        )
    return None


def _resume(learner: MetaLearner, work_dir: Path) -> None:
    if rank() == 0:
        files.remove_partials(work_dir)
    found = newest_whole(work_dir)
    if found is None:
        return
    path, content = found
    try:
        learner.load_state_dict(content)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from None
