"""The inner and outer passes by first-order gradients alone (Eq. 4-6)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from metaloss.batch import FusionBatch
from metaloss.hypergradient.calls import fuse
from metaloss.hypergradient.execution import Execution
from metaloss.hypergradient.fast_weights import FastWeights
from metaloss.hypergradient.functional import clones, gradients, leaves
from metaloss.hypergradient.inner_step import InnerStep
from metaloss.hypergradient.loss_derivatives import image_gradient
from metaloss.hypergradient.problem import MetaProblem
from metaloss.hypergradient.random_state import RandomState
from metaloss.runtime.processes import averaged
from metaloss.tasks.base import targets_of, task_loss


@dataclass
class Trajectory:
    """K inner steps: F' and T', and where each step of F started."""

    fusion: FastWeights
    task: FastWeights
    loss: FastWeights
    steps: list[InnerStep]
    inner_loss: Tensor
    task_inner_loss: Tensor


def fast_weights(problem: MetaProblem) -> tuple[FastWeights, FastWeights, FastWeights]:
    """F, T and L_f where the inner updates start."""
    fusion = FastWeights.of(problem.fusion, problem.fusion_state)
    return fusion, FastWeights.of(problem.task, problem.task_state), FastWeights.of(problem.loss)


def unroll(problem: MetaProblem, batch: FusionBatch) -> Trajectory:
    """Runs K inner updates of F on L_f (Eq. 4) and of T on detached fused images (Eq. 5)."""
    fusion, task, loss = fast_weights(problem)
    steps: list[InnerStep] = []
    fusion_losses: list[Tensor] = []
    task_losses: list[Tensor] = []
    for _ in range(problem.steps):
        step, total = _inner_step(problem, fusion, loss, batch)
        steps.append(step)
        fusion_losses.append(total)
        task_losses.append(update_task(problem, task, fusion, step.fused, batch))
        update(problem, fusion, step.grads)
    return Trajectory(fusion, task, loss, steps, fusion_losses[0], task_losses[0])


def update(problem: MetaProblem, fusion: FastWeights, grads: dict[str, Tensor]) -> None:
    """Takes the fast weights of F one step of the rule further."""
    updated, fusion.state = problem.fusion_rule(fusion.params, grads, fusion.state)
    fusion.params = {name: tensor.detach() for name, tensor in updated.items()}


def _inner_step(
    problem: MetaProblem, fusion: FastWeights, loss: FastWeights, batch: FusionBatch
) -> tuple[InnerStep, Tensor]:
    execution, view = problem.execution, batch.loss_view
    random, buffers, loss_buffers = RandomState.now(fusion.generators), clones(fusion.buffers), clones(loss.buffers)
    params = leaves(fusion.params)
    with torch.enable_grad(), fusion.swapped(params) as network:
        fused = fuse(network, view, execution)
        loss_random = RandomState.now(loss.generators)
        with loss.swapped(loss.params) as module:
            total, s = image_gradient(module, fused.detach(), view, execution, create_graph=False)
        own = gradients(fused, params, s, scale=execution.scale)
    means = averaged({**own, "": total})
    total = means.pop("")
    step = InnerStep(
        fusion.params, means, own, fusion.state, buffers, fused.detach(), loss_buffers, random, loss_random
    )
    return step, total


def update_task(
    problem: MetaProblem, task: FastWeights, fusion: FastWeights, fused: Tensor, batch: FusionBatch
) -> Tensor:
    """Runs one inner update of T on a detached fused image (Eq. 5); returns its loss before the update."""
    execution = problem.execution
    if batch.fusion_view is not None:
        with torch.no_grad(), fusion.swapped(fusion.params) as network:
            fused = fuse(network, batch.sources, execution)
    params = leaves(task.params)
    with torch.enable_grad(), task.swapped(params) as module:
        total = task_loss(module, fused, targets_of(module, batch), execution.run)
        grads = gradients(total, params, scale=execution.scale)
    means = averaged({**grads, "": total.detach()})
    total = means.pop("")
    updated, task.state = problem.task_rule(task.params, means, task.state)
    task.params = {name: tensor.detach() for name, tensor in updated.items()}
    return total


def outer_gradient(
    fusion: FastWeights, task: FastWeights, batch: FusionBatch, execution: Execution
) -> tuple[Tensor, dict[str, Tensor]]:
    """Computes L_t(T', F') on the meta-test batch, and its gradient by the fast weights of F'."""
    params = leaves(fusion.params)
    with torch.enable_grad(), fusion.swapped(params) as network:
        fused = fuse(network, batch.sources, execution)
        with task.swapped(task.params) as module:
            total = task_loss(module, fused, targets_of(module, batch), execution.run)
            grads = gradients(total, params, scale=execution.scale)
    means = averaged({**grads, "": total.detach()})
    return means.pop(""), means
