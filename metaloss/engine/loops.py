"""Training as an MMEngine loop."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from mmengine.dist import broadcast, is_main_process
from mmengine.runner import BaseLoop
from torch import nn

from metaloss.batch import FusionBatch
from metaloss.data import as_size
from metaloss.engine.build import dataset_of, model_of
from metaloss.engine.registry import LOOPS
from metaloss.runtime.interrupts import Interrupted
from metaloss.runtime.signals import StopRequest, stop_requests
from metaloss.training import folder
from metaloss.training.changes import run_of
from metaloss.training.epoch import EpochRun, fetched
from metaloss.training.learner import MetaLearner
from metaloss.training.parts import Phase
from metaloss.training.schedule import Schedule
from metaloss.training.waiting import Waiting

Size = int | Sequence[int] | None
META_STEPS = 200  # of an epoch, as published
_VALIDATED = "metaloss_validated"  # the epoch that was validated last


class EpochSteps:
    """What MMEngine's hooks look at for the length of an epoch: meta steps and fusion steps together."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule, self.epoch = schedule, 0
        episodes = schedule.episodes
        self.dataset, self.batch_size, self.num_workers = episodes.dataset, episodes.batch_size, episodes.num_workers

    def __len__(self) -> int:
        return self.schedule.length(self.epoch)


def schedule_of(
    learner: MetaLearner, dataset: Any, dataloader: Mapping[str, Any], loop: Mapping[str, Any], seed: int
) -> Schedule:
    """Makes the schedule that a config describes.

    Args:
        learner: that it is for.
        dataset: of the data loader, built.
        dataloader: ``train_dataloader``.
        loop: ``train_cfg``, of :class:`MetaLossTrainLoop`.
        seed: of all that is drawn.
    """
    return Schedule.of(
        learner,
        dataset,
        meta_steps=loop.get("meta_steps", META_STEPS),
        warmup_epochs=loop.get("warmup_epochs", 0),
        order=loop.get("schedule", "phases"),
        batch_size=dataloader.get("batch_size", 2),
        num_workers=dataloader.get("num_workers", 0),
        fusion_crop=as_size(loop.get("fusion_crop")),
        task_size=as_size(loop.get("task_size")),
        exchange=loop.get("exchange", True),
        seed=seed,
    )


@LOOPS.register_module()
class MetaLossTrainLoop(BaseLoop):
    """Algorithm 1: per epoch meta steps and fusion steps, with every MMEngine hook point.

    One more, ``after_train_phase(runner, phase, means)``, is after the last step of each phase, with the means of its
    steps.

    Args:
        runner: the runner.
        dataloader: ``dict(dataset=..., batch_size=2, num_workers=0)``, the batch size being that of one process.
        max_epochs: L.
        meta_steps: M, meta steps per epoch.
        warmup_epochs: first epochs without meta steps.
        schedule: ``"phases"``, an epoch's meta steps first, or ``"interleaved"``, spread between its fusion steps.
        fusion_crop: height and width of the random crop that the fusion loss sees.
        task_size: height and width that the task's view is resized to.
        exchange: permute the sources in half of each batch.
        val_begin: first epoch that is validated.
        val_interval: epochs from one validation to the next.
    """

    def __init__(
        self,
        runner: Any,
        dataloader: dict[str, Any],
        max_epochs: int,
        meta_steps: int = META_STEPS,
        warmup_epochs: int = 0,
        schedule: str = "phases",
        fusion_crop: Size = None,
        task_size: Size = None,
        exchange: bool = True,
        val_begin: int = 1,
        val_interval: int = 1,
    ) -> None:
        learner = model_of(runner).learner
        learner.progress["seed"] = _shared_seed(runner)
        loop = {
            "meta_steps": meta_steps,
            "warmup_epochs": warmup_epochs,
            "schedule": schedule,
            "fusion_crop": fusion_crop,
            "task_size": task_size,
            "exchange": exchange,
        }
        self.schedule = schedule_of(learner, dataset_of(dataloader), dataloader, loop, learner.progress["seed"])
        self.steps = EpochSteps(self.schedule)
        self.waiting = Waiting(self.schedule.episodes.num_workers, "train_dataloader.num_workers")
        super().__init__(runner, self.steps)
        self._closed = 0
        self._run: dict[str, dict[str, Any]] | None = None
        self._max_epochs, self.val_begin, self.val_interval = max_epochs, val_begin, val_interval
        self.phase: Phase = "fusion"
        self.stop_training, self.stop = False, StopRequest()

    @property
    def max_epochs(self) -> int:
        """L."""
        return self._max_epochs

    @property
    def max_iters(self) -> int:
        """Meta and fusion steps of all epochs."""
        return sum(self.schedule.length(epoch) for epoch in range(self._max_epochs))

    @property
    def epoch(self) -> int:
        """Epochs done; in ``after_train_epoch`` MMEngine does not count the one that ends."""
        return int(self._progress["epoch"]) - self._closed

    @property
    def iter(self) -> int:
        """Steps done."""
        progress = self._progress
        return sum(self.schedule.length(epoch) for epoch in range(progress["epoch"])) + int(progress["step"])

    @property
    def _progress(self) -> dict[str, Any]:
        return model_of(self.runner).learner.progress

    def described(self) -> dict[str, dict[str, Any]]:
        """What the run depends on, for its checkpoints; looked at once, since its data may change meanwhile."""
        if self._run is None:
            learner = self.runner.learner if hasattr(self.runner, "learner") else model_of(self.runner).learner
            self._run = run_of(learner, self.schedule)
        return self._run

    def use_seed(self, seed: int) -> None:
        """Draws what the run of a checkpoint would draw, where the config names no seed."""
        self.schedule = replace(self.schedule, episodes=replace(self.schedule.episodes, seed=seed))
        self.steps.schedule = self.schedule

    def run(self) -> nn.Module:
        """Trains to the last epoch, or until a signal asks the run to end.

        Raises:
            Interrupted: a signal has; the state is saved.
        """
        with stop_requests() as self.stop:
            self.described()
            self.runner.call_hook("before_train")
            if self.epoch > 0 and not self._progress["step"]:
                self._validate()  # the run may have ended between an epoch's checkpoint and its validation
            while self.epoch < self._max_epochs and not self.stop_training:
                self.run_epoch()
                self.end_if_asked()
                self._validate()
            self.runner.call_hook("after_train")
        return self.runner.model

    def _validate(self) -> None:
        """Validates what the last epoch has left, where that is due and not done."""
        hub, due = self.runner.message_hub, self.epoch % self.val_interval == 0 or self.epoch == self._max_epochs
        done = hub.get_info(_VALIDATED) if _VALIDATED in hub.runtime_info else 0
        if self.runner.val_loop is None or self.epoch < self.val_begin or not due or done == self.epoch:
            return
        self.runner.val_loop.run()
        hub.update_info(_VALIDATED, self.epoch)
        self.end_if_asked()

    def run_epoch(self) -> None:
        """What is left of one meta phase and one fusion phase."""
        self.steps.epoch = self.epoch
        self.runner.call_hook("before_train_epoch")
        model = model_of(self.runner)
        model.train()
        model.use(self.runner.optim_wrapper)
        epoch = EpochRun(model.learner, self.schedule, self._max_epochs)
        for phase, batches in fetched(self.waiting.timed(epoch.steps()), self.stop):
            self.phase = phase
            self._step(epoch, tuple(map(model.on_device, batches)))
            if epoch.ends_phase:
                self.runner.call_hook("after_train_phase", phase=phase, means=epoch.means[phase].read())
            self.end_if_asked()
        self.end_if_asked()
        epoch.close()
        if advice := self.waiting.advice():
            self.runner.logger.info(f"Epoch(train) [{self.epoch}] {advice}")
        self._closed = 1
        try:
            self.runner.call_hook("after_train_epoch")
        finally:
            self._closed = 0

    def _step(self, epoch: EpochRun, batches: tuple[FusionBatch, ...]) -> None:
        index, data = epoch.done, batches if self.phase == "meta" else batches[0]
        self.runner.call_hook("before_train_iter", batch_idx=index, data_batch=data)
        values = epoch.take(self.phase, *batches)
        outputs = {f"{self.phase}/{name}": value for name, value in values.items()}
        self.runner.call_hook("after_train_iter", batch_idx=index, data_batch=data, outputs=outputs)

    def end_if_asked(self) -> None:
        """Ends the run between two steps when a signal has asked for it, once its state is saved.

        Raises:
            Interrupted: it has.
        """
        runner = self.runner
        number = self.stop.everywhere(next(model_of(runner).parameters()).device)
        if number:
            name = folder.file_name(self._progress)
            if self.iter and runner.saved != name:
                runner.save_checkpoint(runner.work_dir, name)
            words = "stopped before the first step; nothing was written"
            if self.iter:
                words = f"stopped after {self.iter} steps; saved {runner.work_dir}/{name}: --resume goes on from there"
            met = Interrupted(number, words)
            if is_main_process():
                print(met, file=sys.stderr, flush=True)
            raise met


def _shared_seed(runner: Any) -> int:
    """The seed of process 0: what an epoch sees is one draw for all, also where each has random numbers of its own."""
    seed = torch.tensor(runner.seed)
    broadcast(seed)
    return int(seed)
