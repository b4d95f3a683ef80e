"""Validation and test as MMEngine loops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dataset import DefaultSampler
from mmengine.dist import all_gather_object
from mmengine.evaluator import Evaluator
from mmengine.runner import BaseLoop, TestLoop, ValLoop

from metaloss.data import Resized, as_size, collate, source_names
from metaloss.data.loader import Loader
from metaloss.data.regions import names_of_classes
from metaloss.engine.build import dataset_of, model_of
from metaloss.engine.registry import LOOPS
from metaloss.evaluation.class_means import ClassMeans, class_means
from metaloss.evaluation.regions import weights_by_region, without_tasks
from metaloss.runtime import files
from metaloss.runtime.modes import evaluating
from metaloss.tasks import can_be_scored, targets_of, task_loss
from metaloss.training.epoch import Means
from metaloss.training.steps import weight_statistics

Size = int | Sequence[int] | None


class _Evaluation:
    """Validation by the task's own evaluator; leaves no trace in the random generators.

    Each process takes its share of the scenes, each scene once; metrics are over all of them, in every process.
    """

    class_means = ClassMeans()

    def _build(self, runner: Any, dataloader: dict[str, Any], evaluator: Any, task_size: Size) -> None:
        self.scenes = dataset_of(dataloader)
        dataset = Resized(self.scenes, as_size(task_size))
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
        try:
            return self._measure(mode)
        finally:
            files.restore_random_state(before)

    def _measure(self, mode: str) -> dict[str, float]:
        runner, model = self.runner, model_of(self.runner)  # type: ignore[attr-defined]
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
                for name, mean, pixels in weights_by_region(weights, batch.target, *self.names(weights.shape[1])):
                    means.add({name: mean}, pixels)
                for output, scene in zip(outputs, weights, strict=True):
                    output["weights"] = scene
                if scored is not None:
                    scored.update([output["prediction"] for output in outputs], target)
                self.evaluator.process(data_samples=outputs, data_batch=batch)
                runner.call_hook(f"after_{mode}_iter", batch_idx=index, data_batch=batch, outputs=outputs)
        metrics = {} if scored is None else self._scores(scored)
        metrics |= without_tasks(over_all_processes(means))
        metrics.update(self.evaluator.evaluate(len(self.dataloader.dataset)))  # type: ignore[attr-defined]
        runner.call_hook(f"after_{mode}_epoch", metrics=metrics)
        runner.call_hook(f"after_{mode}")
        return metrics

    def _scores(self, evaluator: Any) -> dict[str, float]:
        """The task's metrics; says over which classes means are, where that is news."""
        before, scores = self.class_means.note, evaluator.compute()
        self.class_means = class_means(evaluator, self.scenes)
        if self.class_means.note and self.class_means.note != before:
            self.runner.logger.info(self.class_means.note)  # type: ignore[attr-defined]
        return {**scores, **self.class_means.values}

    def names(self, count: int) -> tuple[Sequence[str], Sequence[str], int]:
        """The names of the sources and of the classes, and the id of no class, from the data set where it has them."""
        return source_names(self.scenes, count), *names_of_classes(self.scenes)


@LOOPS.register_module()
class MetaLossValLoop(_Evaluation, ValLoop):
    """Validates: the task's own metrics on fused images, its loss, and the mean weights, by the regions of each class.

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
