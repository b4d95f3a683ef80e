"""Checks that a task keeps its contract."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from metaloss.batch import FusionBatch
from metaloss.data.selection import select_scenes
from metaloss.errors import ConfigError
from metaloss.hypergradient.functional import clones, leaves, swapped
from metaloss.tasks.base import TaskAdapter, can_be_scored, defines, targets_of, task_loss
from metaloss.testing.report import Failure, Report
from metaloss.testing.traces import in_float64, no_trace, random_numbers_kept

_CLOSE = 1e-4  # relative, in float32
_SLOPE = 1e-3  # of a derivative against a finite difference, in float64
_STEP = 1e-6


def check_task(task: nn.Module, batch: FusionBatch, *, independent: bool = True, assigned: bool = False) -> Report:
    """Checks a task: what every author of an adapter can run before using it.

    The task itself is left as it is: all is done with copies. Looked at are the loss (a finite scalar, the same for a
    batch in which every scene stands twice, and for several scenes the mean over them), its gradient with respect to
    the fused image (finite, not zero, right by a finite difference), what is left changed, another dtype and device,
    other weights in the place of the task's own, ``predict`` (one per scene) and the evaluator.

    Args:
        task: an adapter, or any module ``(fused, target) -> loss``.
        batch: two or more scenes with labels; the mean of the sources stands for the fused image.
        independent: ``False`` for a loss that is divided by counts over the batch (of matches, or of pixels that
            are not ignored): it is then no mean over the scenes.
        assigned: ``True`` for a detector that assigns its targets by its own predictions, held fixed, and divides by
            their scores: its loss is neither a mean nor what its gradient is the derivative of, and the points
            on that are left out.

    Returns:
        What was looked at; ``print`` it.

    Raises:
        ConfigError: naming every point that is not kept, or a batch of one scene.

    Examples:
        >>> import torch
        >>> import metaloss
        >>> from metaloss.data import SyntheticScenes, collate
        >>> scenes = SyntheticScenes(2, size=32)
        >>> task = metaloss.ModuleTask(torch.nn.Conv2d(1, 4, 1), torch.nn.functional.cross_entropy)
        >>> print(metaloss.testing.check_task(task, collate([scenes[0], scenes[1]])))
        ModuleTask
        passed: copies, and targets(batch)
        ...
    """
    if len(batch) < 2:
        raise ConfigError("check_task needs a batch of at least two scenes, to tell one from several")
    fused = torch.stack(batch.sources).mean(0).detach()
    report = Report(type(task).__name__)
    with random_numbers_kept(), torch.enable_grad():
        with report.point("copies, and targets(batch)"):
            copy.deepcopy(task)
            targets_of(task, batch)
        if report.points[-1].outcome == "passed":
            _check_loss(report, task, batch, fused, independent=independent, assigned=assigned)
            _check_moves(report, task, batch, fused, assigned=assigned)
            if isinstance(task, TaskAdapter):
                _check_predictions(report, task, batch, fused)
            else:
                report.note("predict and evaluator", "a plain module has none: training only", "skipped")
    return report.verdict()


def _check_loss(
    report: Report, task: nn.Module, batch: FusionBatch, fused: Tensor, *, independent: bool, assigned: bool
) -> None:
    target = targets_of(task, batch)
    for training in (True, False):
        with report.point(f"loss in {'training' if training else 'evaluation'} mode: a finite scalar, nothing changed"):
            copied, image = copy.deepcopy(task).train(training), fused.clone().requires_grad_()
            with no_trace(copied, image, target, random=not training, buffers=not training):
                loss = task_loss(copied, image, target)
                _check_gradient(copied, loss, image)
    if assigned:
        report.note("a mean over the scenes", "not looked at: assigned=True", "skipped")
        return
    still = copy.deepcopy(task).eval()
    with report.point("a mean, not a sum: the same when every scene stands twice"), torch.no_grad():
        twice = select_scenes(batch, [*range(len(batch))] * 2)
        once, doubled = (
            float(task_loss(still, images, targets_of(still, scenes)))
            for images, scenes in ((fused, batch), (torch.cat([fused, fused]), twice))
        )
        if not math.isclose(once, doubled, rel_tol=_CLOSE, abs_tol=_CLOSE):
            raise Failure(f"{once:.6g} for {len(batch)} scenes, {doubled:.6g} for the same scenes twice")
    name = "independence of the batch: the mean of the single scenes' losses"
    if not independent:
        report.note(name, "not looked at: independent=False", "skipped")
        return
    with report.point(name), torch.no_grad():
        single = [
            float(task_loss(still, fused[[k]], targets_of(still, select_scenes(batch, [k])))) for k in range(len(batch))
        ]
        whole, mean = float(task_loss(still, fused, target)), sum(single) / len(single)
        if not math.isclose(whole, mean, rel_tol=_CLOSE, abs_tol=_CLOSE):
            raise Failure(
                f"{whole:.6g} for the batch, {mean:.6g} for its scenes one by one; for a loss that is divided by "
                "counts over the batch pass independent=False"
            )


def _check_gradient(task: nn.Module, loss: Tensor, image: Tensor) -> None:
    if not loss.isfinite():
        raise Failure(f"the loss is {loss.item()}")
    if not loss.requires_grad:
        raise Failure("no gradient: the loss is detached from the fused image and from the weights")
    learning = {name: param for name, param in task.named_parameters() if param.requires_grad}
    by_image, *by_params = torch.autograd.grad(loss, [image, *learning.values()], allow_unused=True)
    if by_image is None:
        raise Failure("no gradient reaches the fused image: the path is cut (detach, no_grad, numpy, argmax)")
    if not by_image.isfinite().all():
        raise Failure("the gradient on the fused image is not finite")
    if not by_image.any():
        raise Failure("the gradient on the fused image is zero everywhere")
    if learning and not any(gradient is not None and gradient.any() for gradient in by_params):
        raise Failure("no gradient reaches any trainable parameter of the task")


def _check_moves(report: Report, task: nn.Module, batch: FusionBatch, fused: Tensor, *, assigned: bool) -> None:
    compared = "" if assigned else ": the gradient on the fused image agrees with a finite difference"
    with report.point(f"float64{compared}"), in_float64():
        double, wide = copy.deepcopy(task).double().eval(), batch.to(torch.float64)
        image, target = fused.double().requires_grad_(), targets_of(double, wide)
        loss = task_loss(double, image, target)
        if loss.dtype != torch.float64:
            raise Failure(f"a task in float64 gives a loss in {loss.dtype}")
        (gradient,) = torch.autograd.grad(loss, image)
        direction = gradient.sign()
        with torch.no_grad():
            ahead, behind = (float(task_loss(double, image + step * direction, target)) for step in (_STEP, -_STEP))
        slope, difference = float((gradient * direction).sum()), (ahead - behind) / (2 * _STEP)
        if not assigned and not math.isclose(slope, difference, rel_tol=_SLOPE, abs_tol=1e-9):
            raise Failure(f"{slope:.6g} by the gradient, {difference:.6g} by a finite difference: a part of it is cut")
    with report.point("other weights in the place of its own"), torch.no_grad():
        still = copy.deepcopy(task).eval()
        params = {name: param + 0.1 * torch.randn_like(param) for name, param in still.named_parameters()}
        target = targets_of(still, batch)
        moved = copy.deepcopy(still)
        for name, param in moved.named_parameters():
            param.copy_(params[name])
        with swapped(still, leaves(params), clones(dict(still.named_buffers()))) as module:
            given = task_loss(module, fused, target)
        expected = task_loss(moved, fused, target)
        if not torch.allclose(given, expected, rtol=_CLOSE, equal_nan=True):
            raise Failure(
                f"a loss of {given.item():.6g} with fast weights, {expected.item():.6g} with the same weights "
                "loaded: some are kept outside of the module's parameters"
            )
    if not torch.cuda.is_available():
        report.note("another device", "there is none here", "skipped")
        return
    with report.point("another device"):
        there = batch.to("cuda")
        on_device = copy.deepcopy(task).cuda()
        found = task_loss(on_device, fused.cuda(), targets_of(on_device, there)).device.type
        if found != "cuda":
            raise Failure(f"a task on a GPU gives a loss on the {found}")


def _check_predictions(report: Report, task: TaskAdapter, batch: FusionBatch, fused: Tensor) -> None:
    if not defines(task, "predict"):
        report.note("predict", "not defined: the task can train, and shows nothing", "skipped")
        return
    found: list[Any] = []
    copied = copy.deepcopy(task).train()
    with report.point("predict: one per scene, in evaluation mode, nothing changed"):
        image = fused.clone().requires_grad_()
        with no_trace(copied, image):
            predictions = copied.predict(image)
        if len(predictions) != len(batch):
            raise Failure(f"{len(predictions)} predictions for {len(batch)} scenes")
        if any(leaf.requires_grad for leaf in pytree.tree_leaves(predictions) if isinstance(leaf, Tensor)):
            raise Failure("predictions carry gradients: predict under torch.no_grad()")
        found = [predictions[number] for number in range(len(batch))]
    if not can_be_scored(task):
        report.note("evaluator", "not defined: the trainer cannot score the task", "skipped")
    elif found:
        with report.point("evaluator: fresh each time, metrics by name"):
            _check_evaluator(copied, found, targets_of(copied, batch))


def _check_evaluator(task: TaskAdapter, predictions: Sequence[Any], target: Any) -> None:
    scores = []
    for _ in range(2):
        evaluator = task.evaluator()
        evaluator.update(predictions, target)
        scores.append(evaluator.compute())
    for name, value in scores[0].items():
        if not isinstance(name, str) or isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Failure(f"compute() gives {name!r}: {type(value).__name__}; expected numbers by name")
    if not scores[0]:
        raise Failure("compute() gives no metric")
    if not all(value == scores[1].get(name) or math.isnan(value) for name, value in scores[0].items()):
        raise Failure("a second evaluator gives other scores for the same predictions: it is not a fresh one")
