"""Training and validation as MMEngine loops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dataset import DefaultSampler
from mmengine.dist import all_gather_object, broadcast, is_main_process
from mmengine.evaluator import Evaluator
from mmengine.runner import BaseLoop, TestLoop, ValLoop
from torch import nn

from metaloss.batch import FusionBatch
from metaloss.data import Resized, as_size, collate
from metaloss.data.loader import Loader
from metaloss.engine.registry import DATASETS, LOOPS
from metaloss.runtime import files
from metaloss.runtime.modes import evaluating
from metaloss.tasks import can_be_scored, targets_of, task_loss
from metaloss.training.fit import Means, warn_of_collapse
from metaloss.training.schedule import Phase, Schedule
from metaloss.training.steps import weight_statistics

Size = int | Sequence[int] | None


class EpochSteps:
    """What MMEngine's hooks look at for the length of an epoch: meta steps and fusion steps together."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule, self.epoch = schedule, 0
        episodes = schedule.episodes
        self.dataset, self.batch_size, self.num_workers = episodes.dataset, episodes.batch_size, episodes.num_workers

    def __len__(self) -> int:
        return self.schedule.length(self.epoch)


@LOOPS.register_module()
class MetaLossTrainLoop(BaseLoop):
    """Algorithm 1: per epoch a meta phase and a fusion phase, with every MMEngine hook point.

    One more, ``after_train_phase(runner, phase, means)``, is at the end of each phase, with the means of its steps.

    Args:
        runner: the runner.
        dataloader: ``dict(dataset=..., batch_size=2, num_workers=0)``, the batch size being that of one process.
        max_epochs: L.
        meta_steps: M, meta steps per epoch.
        warmup_epochs: first epochs without meta steps.
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
        meta_steps: int = 200,
        warmup_epochs: int = 0,
        fusion_crop: Size = None,
        task_size: Size = None,
        exchange: bool = True,
        val_begin: int = 1,
        val_interval: int = 1,
    ) -> None:
        self.schedule = Schedule.of(
            _model(runner).learner,
            _dataset(dataloader),
            meta_steps=meta_steps,
            warmup_epochs=warmup_epochs,
            batch_size=dataloader.get("batch_size", 2),
            num_workers=dataloader.get("num_workers", 0),
            fusion_crop=as_size(fusion_crop),
            task_size=as_size(task_size),
            exchange=exchange,
            seed=_shared_seed(runner),
        )
        self.steps = EpochSteps(self.schedule)
        super().__init__(runner, self.steps)
        self._max_epochs, self.val_begin, self.val_interval = max_epochs, val_begin, val_interval
        self._epoch = self._iter = 0
        self.phase: Phase = "fusion"
        self.stop_training = False

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
        """Epochs done."""
        return self._epoch

    @property
    def iter(self) -> int:
        """Steps done."""
        return self._iter

    def run(self) -> nn.Module:
        """Trains to the last epoch."""
        self.runner.call_hook("before_train")
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            due = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
            if self.runner.val_loop is not None and self._epoch >= self.val_begin and due:
                self.runner.val_loop.run()
        self.runner.call_hook("after_train")
        return self.runner.model

    def run_epoch(self) -> None:
        """One meta phase and one fusion phase."""
        self.steps.epoch = self._epoch
        self.runner.call_hook("before_train_epoch")
        model, means = _model(self.runner), Means()
        model.train()
        model.use(self.runner.optim_wrapper)
        model.learner.begin_epoch(self._epoch, self._max_epochs)
        phases = {phase: Means() for phase in self.schedule.phases(self._epoch)}
        left = self.schedule.counts(self._epoch)
        for index, (phase, batches) in enumerate(self.schedule.steps(self._epoch)):
            self.phase = phase
            values = self._step(index, tuple(map(model.on_device, batches)))
            for mean in (means, phases[phase]):
                mean.add(values)
            left[phase] -= 1
            if not left[phase]:
                self.runner.call_hook("after_train_phase", phase=phase, means=phases[phase].read())
        if is_main_process():
            warn_of_collapse(means.read())
        self.runner.call_hook("after_train_epoch")
        self._epoch += 1

    def _step(self, index: int, batches: tuple[FusionBatch, ...]) -> dict[str, torch.Tensor]:
        data = batches if self.phase == "meta" else batches[0]
        self.runner.call_hook("before_train_iter", batch_idx=index, data_batch=data)
        values: dict[str, torch.Tensor] = _model(self.runner).learner.step(self.phase, *batches)
        outputs = {f"{self.phase}/{name}": value for name, value in values.items()}
        self.runner.call_hook("after_train_iter", batch_idx=index, data_batch=data, outputs=outputs)
        self._iter += 1
        return values


class _Evaluation:
    """Validation by the task's own evaluator; leaves no trace in the random generators.

    Each process takes its share of the scenes, each scene once; metrics are over all of them, in every process.
    """

    def _build(self, runner: Any, dataloader: dict[str, Any], evaluator: Any, task_size: Size) -> None:
        dataset = Resized(_dataset(dataloader), as_size(task_size))
        loader = Loader(
            dataset,
            sampler=DefaultSampler(dataset, shuffle=False, seed=0, round_up=False),
            batch_size=dataloader.get("batch_size", 1),
            num_workers=dataloader.get("num_workers", 0),
            collate_fn=collate,
        )
        BaseLoop.__init__(self, runner, loader)
        if isinstance(evaluator, dict):  # MMEngine would take one metric with an option `metrics` for a whole evaluator
            evaluator = [evaluator]
        self.evaluator = evaluator if isinstance(evaluator, Evaluator) else runner.build_evaluator(evaluator)

    def _evaluate(self, mode: str) -> dict[str, float]:
        before = files.random_state()
        runner, model = self.runner, _model(self.runner)  # type: ignore[attr-defined]
        for point in (f"before_{mode}", f"before_{mode}_epoch"):
            runner.call_hook(point)
        scored = model.task.evaluator() if can_be_scored(model.task) else None
        means = Means()
        with evaluating(model), torch.no_grad():
            for index, batch in enumerate(self.dataloader):  # type: ignore[attr-defined]
                runner.call_hook(f"before_{mode}_iter", batch_idx=index, data_batch=batch)
                outputs = model.val_step(batch)
                batch = model.on_device(batch)
                fused = torch.stack([output["fused"] for output in outputs])
                target = targets_of(model.task, batch)
                means.add({"task_loss": task_loss(model.task, fused, target)}, len(batch))
                weights = model.loss(fused, batch.sources).weights
                means.add(weight_statistics(weights, batch.order), len(batch))
                for output, scene in zip(outputs, weights, strict=True):
                    output["weights"] = scene
                if scored is not None:
                    scored.update([output["prediction"] for output in outputs], target)
                self.evaluator.process(data_samples=outputs, data_batch=batch)
                runner.call_hook(f"after_{mode}_iter", batch_idx=index, data_batch=batch, outputs=outputs)
        metrics = {**(scored.compute() if scored is not None else {}), **over_all_processes(means)}
        metrics.update(self.evaluator.evaluate(len(self.dataloader.dataset)))  # type: ignore[attr-defined]
        runner.call_hook(f"after_{mode}_epoch", metrics=metrics)
        runner.call_hook(f"after_{mode}")
        files.restore_random_state(before)
        return metrics


@LOOPS.register_module()
class MetaLossValLoop(_Evaluation, ValLoop):
    """Validates: the task's own metrics on fused images, its loss, and the mean weights.

    Args:
        runner: the runner.
        dataloader: ``dict(dataset=..., batch_size=1, num_workers=0)``.
        evaluator: further metrics, of the fused images say; may be empty.
        task_size: height and width that images are resized to.
    """

    def __init__(self, runner: Any, dataloader: dict[str, Any], evaluator: Any, task_size: Size = None) -> None:
        self._build(runner, dataloader, evaluator, task_size)

    def run(self) -> dict[str, float]:
        """Validates once."""
        return self._evaluate("val")


@LOOPS.register_module()
class MetaLossTestLoop(_Evaluation, TestLoop):
    """Tests, as :class:`MetaLossValLoop` validates.

    Args:
        runner: the runner.
        dataloader: ``dict(dataset=..., batch_size=1, num_workers=0)``.
        evaluator: further metrics; may be empty.
        task_size: height and width that images are resized to.
    """

    def __init__(self, runner: Any, dataloader: dict[str, Any], evaluator: Any, task_size: Size = None) -> None:
        self._build(runner, dataloader, evaluator, task_size)

    def run(self) -> dict[str, float]:
        """Tests once."""
        return self._evaluate("test")


def over_all_processes(means: Means) -> dict[str, float]:
    """Means over what all processes have taken in; one may have taken in nothing."""
    parts = all_gather_object({name: (float(total), float(means.counts[name])) for name, total in means.sums.items()})
    found: dict[str, list[tuple[float, float]]] = {}
    for part in parts:
        for name, pair in part.items():
            found.setdefault(name, []).append(pair)
    sums = {name: (sum(total for total, _ in pairs), sum(count for _, count in pairs)) for name, pairs in found.items()}
    return {name: total / count if count else float("nan") for name, (total, count) in sums.items()}


def _shared_seed(runner: Any) -> int:
    """The seed of process 0: what an epoch sees is one draw for all, also where each has random numbers of its own."""
    seed = torch.tensor(runner.seed)
    broadcast(seed)
    return int(seed)


def _dataset(dataloader: dict[str, Any]) -> Any:
    dataset = dataloader["dataset"]
    return DATASETS.build(dataset) if isinstance(dataset, dict) else dataset


def _model(runner: Any) -> Any:
    return getattr(runner.model, "module", runner.model)
