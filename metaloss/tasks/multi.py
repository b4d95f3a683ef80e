"""Several tasks on one fused image, with labels for all of them or for some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from metaloss.batch import FusionBatch
from metaloss.data.collating import collate_targets
from metaloss.data.selection import select_scenes
from metaloss.errors import ConfigError, ShapeError
from metaloss.runtime.processes import gathered
from metaloss.tasks.base import TaskAdapter, TaskEvaluator, can_be_scored, defines, targets_of

UNCERTAINTY = "uncertainty"


class Labelled(NamedTuple):
    """One task's targets for some scenes of a batch.

    Attributes:
        scenes: the places of these scenes in the batch.
        target: what the task expects for them.
    """

    scenes: tuple[int, ...]
    target: Any


class MultiTask(TaskAdapter):
    """Several task networks that see the same fused image; their losses are weighted and added.

    Fixed weights w_t give sum_t w_t L_t. Uncertainty weights are learned (Kendall, Gal and Cipolla,
    *Multi-Task Learning Using Uncertainty to Weigh Losses*, CVPR 2018), with s_t = log sigma_t^2, 0 at first:

        sum_t  exp(-s_t) L_t + s_t / 2

    The target is a dict by task name. A task without labels for a batch (``None``, or no entry) adds a zero; where
    labels are missing for some scenes (a list with ``None`` in it) the task sees the other scenes only.

    Args:
        tasks: adapters, or modules ``(fused, target) -> loss``, by name.
        weights: w_t >= 0 by task name, 1 where there is none; or ``"uncertainty"``.

    Raises:
        ConfigError: no task, a name or weight that cannot be used, or weights of other tasks.

    Examples:
        >>> import torch
        >>> import metaloss
        >>> pixels = metaloss.ModuleTask(torch.nn.Conv2d(1, 4, 1), torch.nn.functional.cross_entropy)
        >>> image = metaloss.ModuleTask(torch.nn.Identity(), torch.nn.functional.mse_loss)
        >>> task = metaloss.MultiTask({"seg": pixels, "same": image}, weights={"same": 0.5})
        >>> fused = torch.rand(2, 1, 8, 8)
        >>> losses = task(fused, {"seg": torch.zeros(2, 8, 8, dtype=torch.int64), "same": fused})
        >>> sorted(losses)
        ['same/loss', 'seg/loss']
    """

    def __init__(
        self, tasks: Mapping[str, nn.Module], *, weights: Mapping[str, float] | Literal["uncertainty"] | None = None
    ) -> None:
        super().__init__()
        self.tasks = _by_name(tasks)
        self.weights: dict[str, float] = {}
        self.log_variances = nn.ParameterDict()
        if isinstance(weights, str):
            if weights != UNCERTAINTY:
                raise ConfigError(f"MultiTask(weights={weights!r}): expected numbers by task name, or {UNCERTAINTY!r}")
            self.log_variances.update({name: nn.Parameter(torch.zeros(())) for name in self.tasks})
        else:
            self.weights = _checked(weights or {}, self.tasks)

    def forward(self, fused: Tensor, target: Mapping[str, Any]) -> dict[str, Tensor]:
        """Measures every task's losses.

        Args:
            fused: of shape (B, C, H, W), in [0, 1].
            target: by task name.

        Returns:
            Each task's own named tensors as ``"seg/NAME"``, ``"seg/loss"`` where it gives one number, the losses
            among them weighted; with uncertainty weights ``"seg/loss_uncertainty"`` (s_t / 2) as well.

        Raises:
            ConfigError: the target is no dict, or has an entry for no task.
        """
        losses: dict[str, Tensor] = {}
        for name, part in _parts(target, self.tasks).items():
            scenes, own = _labelled(part, len(fused))
            if not scenes:
                losses[f"{name}/loss"] = fused[:0].sum()
                continue
            output = self.tasks[name](_scenes(fused, scenes), own)
            named = output if isinstance(output, Mapping) else {"loss": output}
            weight: float | Tensor = self.weights.get(name, 1.0)
            if name in self.log_variances:
                weight = torch.exp(-self.log_variances[name])
                losses[f"{name}/loss_uncertainty"] = self.log_variances[name] / 2
            losses |= {f"{name}/{key}": value * weight if "loss" in key else value for key, value in named.items()}
        return losses

    def targets(self, batch: FusionBatch) -> dict[str, Any]:
        """Picks every task's target, by name, where it has one; ``None`` where not.

        A task that reads no labels, reconstruction say, needs no entry in ``batch.target``.

        Raises:
            ConfigError: ``batch.target`` is no dict by task name.
        """
        return {
            name: _target_of(self.tasks[name], batch, part) for name, part in _parts(batch.target, self.tasks).items()
        }

    def labelled(self, batch: FusionBatch) -> bool:
        """Whether at least one task has labels for at least one scene of a batch."""
        return any(_labelled(part, len(batch)).scenes for part in self.targets(batch).values())

    def predict(self, fused: Tensor) -> list[dict[str, Any]]:
        """Predicts with every task that can; one dict by task name for each of the B scenes."""
        found = {name: task.predict(fused) for name, task in self.tasks.items() if defines(task, "predict")}
        return [{name: each[scene] for name, each in found.items()} for scene in range(len(fused))]

    def evaluator(self) -> TaskEvaluator:
        """Makes a fresh evaluator: every task's own metrics, as ``"seg/NAME"``, on the scenes that have its labels."""
        return MultiEvaluator({name: task.evaluator() for name, task in self.tasks.items() if can_be_scored(task)})


class MultiEvaluator:
    """The tasks' own evaluators side by side.

    Args:
        evaluators: by task name.
    """

    def __init__(self, evaluators: Mapping[str, TaskEvaluator]) -> None:
        self.evaluators = dict(evaluators)
        self.counts = dict.fromkeys(evaluators, 0)

    def update(self, predictions: Sequence[Mapping[str, Any]], target: Mapping[str, Any]) -> None:
        """Takes in B scenes' predictions by task name, and the batch's target by task name."""
        for name, evaluator in self.evaluators.items():
            scenes, own = _labelled(target.get(name), len(predictions))
            if scenes:
                evaluator.update([predictions[scene][name] for scene in scenes], own)
                self.counts[name] += len(scenes)

    def compute(self) -> dict[str, float]:
        """Returns every task's metrics as ``"seg/NAME"``; none for a task that saw no labels."""
        seen = gathered(self.counts)
        return {
            f"{name}/{metric}": value
            for name, evaluator in self.evaluators.items()
            if any(counts[name] for counts in seen)
            for metric, value in evaluator.compute().items()
        }


def _by_name(tasks: Mapping[str, nn.Module]) -> nn.ModuleDict:
    if not isinstance(tasks, Mapping) or not tasks:
        raise ConfigError('MultiTask expects at least one task by name: MultiTask({"seg": task})')
    known = nn.ModuleDict()
    for name, task in tasks.items():
        if not isinstance(task, nn.Module):
            raise ConfigError(f"MultiTask: task {name!r} is a {type(task).__name__}: expected a module")
        if not str(name).isidentifier() or "loss" in name or hasattr(known, name):
            raise ConfigError(
                f"MultiTask: task name {name!r}: expected letters, digits and _, without 'loss' (which marks what is "
                "added up), and no name of torch's nn.Module"
            )
        known[name] = task
    return known


def _checked(weights: Mapping[str, float], tasks: nn.ModuleDict) -> dict[str, float]:
    strange = [name for name in weights if name not in tasks]
    if strange:
        raise ConfigError(f"MultiTask(weights=...) names {strange[0]!r}: the tasks are {', '.join(tasks)}")
    for name, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight < float("inf"):
            raise ConfigError(f"MultiTask: weight {weight!r} of {name!r}: expected a number of at least 0")
    return {name: float(weights.get(name, 1)) for name in tasks}


def _parts(target: Any, tasks: nn.ModuleDict) -> dict[str, Any]:
    if target is not None and not isinstance(target, Mapping):
        raise ConfigError(f"MultiTask: the target is a {type(target).__name__}: expected a dict by task name")
    strange = [name for name in target or {} if name not in tasks]
    if strange:
        raise ConfigError(f"MultiTask: the target has an entry {strange[0]!r}: the tasks are {', '.join(tasks)}")
    return {name: (target or {}).get(name) for name in tasks}


def _labelled(part: Any, count: int) -> Labelled:
    """Which of B scenes have labels, and those labels in the form that the task expects."""
    if isinstance(part, Labelled):
        return part
    if part is None:
        return Labelled((), None)
    if isinstance(part, list) and any(each is None for each in part):
        if len(part) != count:
            raise ShapeError(f"MultiTask: a target has {len(part)} entries for {count} scenes")
        present = [scene for scene, each in enumerate(part) if each is not None]
        return Labelled(tuple(present), collate_targets([part[scene] for scene in present]))
    return Labelled(tuple(range(count)), part)


def _target_of(task: nn.Module, batch: FusionBatch, part: Any) -> Any:
    """A task's target, asked of the scenes that have labels: a task may add images to them."""
    scenes, own = _labelled(part, len(batch))
    if part is not None and not scenes:
        return None
    if part is None or len(scenes) == len(batch):
        whole = targets_of(task, replace(batch, target=own))
        return None if any(leaf is None for leaf in _leaves(whole)) else whole
    chosen = select_scenes(replace(batch, target=None), scenes)
    return Labelled(scenes, targets_of(task, replace(chosen, target=own)))


def _leaves(value: Any) -> list[Any]:
    return pytree.tree_leaves(value, is_leaf=lambda each: each is None)


def _scenes(images: Tensor, scenes: Sequence[int]) -> Tensor:
    return images if len(scenes) == len(images) else images[list(scenes)]
