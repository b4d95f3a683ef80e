"""What a task is: anything that turns a fused image and a target into a loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeGuard

import torch
from torch import Tensor, nn

from metaloss.batch import FusionBatch
from metaloss.errors import ConfigError, DataError, ShapeError

# how torch says that cross_entropy, gather and one_hot have met a class id that is too large
_OF_IDS = ("out of bounds", "Class values must be")


class TaskEvaluator(Protocol):
    """Collects predictions and says how good they were; one life per validation run.

    With several processes each sees its share of the scenes: ``compute`` is called in all of them, and gathers.

    One of class ids may also have ``confusion()``, called in all of them after ``compute``: (C, C) int64, the pixels
    of each true class by the class found, over all processes. Reports then say over how many classes a mean is.
    """

    def update(self, predictions: Any, target: Any) -> None:
        """Takes in what ``predict`` gave for a batch, and that batch's target."""

    def compute(self) -> dict[str, float]:
        """Returns the metrics by name, as their framework names them; shares (accuracy, IoU, mAP) in percent."""


class TaskAdapter(nn.Module):
    """A task network behind one face; subclass it to bring a framework's models in.

    Any ``nn.Module`` whose ``forward(fused, target)`` gives a loss is a task already. An adapter
    adds where the target comes from, what a prediction is and how it is scored. It also does the
    colour and range conversion, inside the graph.

    Examples:
        >>> import torch
        >>> import metaloss
        >>> class Brightness(metaloss.TaskAdapter):
        ...     def targets(self, batch):
        ...         return torch.stack(batch.sources).amax(0)
        ...
        ...     def forward(self, fused, target):
        ...         return (fused - target).square().mean()
        >>> batch = metaloss.FusionBatch(sources=(torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8)))
        >>> task = Brightness()
        >>> task(batch.sources[0], task.targets(batch)).shape
        torch.Size([])
    """

    def forward(self, fused: Tensor, target: Any) -> Tensor | Mapping[str, Tensor]:
        """Measures the task's loss on fused images.

        Args:
            fused: of shape (B, C, H, W), in [0, 1].
            target: what :meth:`targets` gave.

        Returns:
            A scalar mean loss, or named tensors, of which those whose key contains "loss" are summed.

        Raises:
            ConfigError: the adapter defines no ``forward`` of its own.
        """
        raise ConfigError(f"{type(self).__name__} defines no forward(fused, target): a task gives a loss")

    def targets(self, batch: FusionBatch) -> Any:
        """Picks from a batch what the task learns from; default: ``batch.target``."""
        return batch.target

    def labelled(self, batch: FusionBatch) -> bool:
        """Whether a batch holds anything to learn from; a meta step on one that does not is skipped and counted.

        Args:
            batch: a batch with this task's targets.

        Returns:
            ``False`` for class ids of which every one is ignored (255, or negative); ``True`` for any other target.
        """
        ignored = all_ignored(self.targets(batch))
        return ignored is None or not ignored

    def predict(self, fused: Tensor) -> Any:
        """Predicts, without gradient and in evaluation mode, in the framework's own structures.

        Raises:
            ConfigError: the task defines none; it then trains, and validation shows its loss.
        """
        raise ConfigError(f"{type(self).__name__} defines no predict(fused)")

    def evaluator(self) -> TaskEvaluator:
        """Makes a fresh evaluator of this task.

        Raises:
            ConfigError: the task defines none; it then trains, and validation shows its loss.
        """
        raise ConfigError(f"{type(self).__name__} defines no evaluator()")


def defines(task: nn.Module, method: str) -> TypeGuard[TaskAdapter]:
    """Whether a task is an adapter that has its own form of a method: ``"predict"``, ``"evaluator"``."""
    if not isinstance(task, TaskAdapter):
        return False
    own = getattr(task, method)
    return getattr(own, "__func__", own) is not getattr(TaskAdapter, method)


def can_be_scored(task: nn.Module) -> TypeGuard[TaskAdapter]:
    """Whether a task predicts and has an evaluator of its predictions; one that has not can only train."""
    return defines(task, "predict") and defines(task, "evaluator")


def targets_of(task: nn.Module, batch: FusionBatch) -> Any:
    """Picks the task's target from a batch, for adapters and plain modules alike."""
    return task.targets(batch) if isinstance(task, TaskAdapter) else batch.target


def is_labelled(task: nn.Module, batch: FusionBatch) -> bool:
    """Whether a batch holds anything that a task, adapter or plain module, learns from."""
    if isinstance(task, TaskAdapter):
        return task.labelled(batch)
    ignored = all_ignored(batch.target)
    return ignored is None or not ignored


def all_ignored(target: Any) -> Tensor | None:
    """Whether every class id of a segmentation target is one that does not count: 255, or negative.

    Args:
        target: any target.

    Returns:
        0-d bool on the target's device; ``None`` for a target that is no tensor of class ids (B, H, W).
    """
    if not isinstance(target, Tensor) or target.ndim < 3 or target.is_floating_point() or target.dtype == torch.bool:
        return None
    return ((target == 255) | (target < 0)).all()


def task_loss(task: nn.Module, fused: Tensor, target: Any, run: Callable[..., Any] | None = None) -> Tensor:
    """Runs a task and reduces what it returns to one number.

    Args:
        task: an adapter, or any module ``(fused, target) -> loss``.
        fused: of shape (B, C, H, W), in [0, 1].
        target: what the task expects.
        run: how a module is called, ``run(task, fused, target)``; default: plainly.

    Returns:
        0-d. Of a mapping, the entries whose key contains "loss", each averaged, are summed. A mean over no labelled
        pixel at all, which is NaN, counts as 0.

    Raises:
        DataError: class ids that the task indexes with and has no class for.
        ShapeError: a tensor that is not a scalar was returned.
        ConfigError: a mapping without a loss, or something else, was returned.
    """
    try:
        output = task(fused, target) if run is None else run(task, fused, target)
    except (IndexError, RuntimeError) as error:
        about_ids = isinstance(target, Tensor) and not target.is_floating_point() and target.numel()
        if not about_ids or not any(words in str(error) for words in _OF_IDS):
            raise
        low, high = target.aminmax()
        raise DataError(
            f"{type(task).__name__}: {error}: the batch's target has ids from {int(low)} to {int(high)}; correct the "
            "labels, give the task a class for each, or have its loss leave the others out (ignore_index=255)"
        ) from error
    total = _reduced(task, output)
    ignored = all_ignored(target)
    if ignored is None:
        return total
    return torch.where(ignored.to(total.device) & total.isnan(), torch.zeros_like(total), total)


def _reduced(task: nn.Module, output: Any) -> Tensor:
    if isinstance(output, Tensor):
        if output.ndim != 0:
            raise ShapeError(
                f"{type(task).__name__} returned a loss of shape {tuple(output.shape)}: expected a scalar mean; "
                "reduce it in the task (loss.mean())"
            )
        return output
    if isinstance(output, Mapping):
        losses = [value.mean() for key, value in output.items() if "loss" in key]
        if losses:
            return torch.stack(losses).sum()
        raise ConfigError(f"{type(task).__name__} returned {sorted(output)}: no key contains 'loss'")
    raise ConfigError(
        f"{type(task).__name__} returned {type(output).__name__}: expected a scalar tensor or a dict of losses"
    )
