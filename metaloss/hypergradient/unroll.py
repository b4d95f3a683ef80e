"""The inner and outer passes by first-order gradients alone (Eq. 4-6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from metaloss.batch import FusionBatch
from metaloss.hypergradient.execution import Execution
from metaloss.hypergradient.functional import RandomState, clones, gradients, leaves
from metaloss.hypergradient.network import Network, fuse
from metaloss.hypergradient.problem import MetaProblem
from metaloss.hypergradient.slope import Slope, slope_of
from metaloss.processes import averaged
from metaloss.tasks.base import targets_of, task_loss


@dataclass(frozen=True)
class InnerStep:
    """What an inner step of F started from and gave, enough to differentiate it.

    Attributes:
        params: theta_F before the update.
        grads: its gradient, averaged over the processes.
        state: of the rule before the update.
        buffers: F's before the forward pass.
        fused: F's image in the fusion loss's view, detached.
        slope: dL_f/df with its graph, where memory is spent on it.
        loss_buffers: of L_f before the forward pass.
        random: the generators before the forward pass of F.
        loss_random: the generators before that of L_f.
    """

    params: dict[str, Tensor]
    grads: dict[str, Tensor]
    state: Any
    buffers: dict[str, Tensor]
    fused: Tensor
    slope: Slope | None
    loss_buffers: dict[str, Tensor]
    random: RandomState
    loss_random: RandomState


@dataclass
class Trajectory:
    """K inner steps: F' and T', and where each step of F started."""

    fusion: Network
    task: Network
    loss: Network
    steps: list[InnerStep]
    inner_loss: Tensor
    task_inner_loss: Tensor
    execution: Execution


def unroll(problem: MetaProblem, batch: FusionBatch) -> Trajectory:
    """Runs K inner updates of F on L_f (Eq. 4) and of T on detached fused images (Eq. 5)."""
    fusion, task = Network.of(problem.fusion, problem.fusion_state), Network.of(problem.task, problem.task_state)
    loss = Network.of(problem.loss)
    steps: list[InnerStep] = []
    fusion_losses: list[Tensor] = []
    task_losses: list[Tensor] = []
    for _ in range(problem.steps):
        step, total = _inner_step(problem, fusion, loss, batch)
        steps.append(step)
        fusion_losses.append(total)
        task_losses.append(update_task(problem, task, fusion, step.fused, batch))
        updated, fusion.state = problem.fusion_rule(fusion.params, step.grads, fusion.state)
        fusion.params = {name: tensor.detach() for name, tensor in updated.items()}
    return Trajectory(fusion, task, loss, steps, fusion_losses[0], task_losses[0], problem.execution)


def _inner_step(problem: MetaProblem, fusion: Network, loss: Network, batch: FusionBatch) -> tuple[InnerStep, Tensor]:
    execution, view = problem.execution, batch.loss_view
    random, buffers, loss_buffers = RandomState.now(), clones(fusion.buffers), clones(loss.buffers)
    keep = execution.memory == "high"
    params = leaves(fusion.params)
    generator = leaves(loss.params) if keep else loss.params

    def body(network: nn.Module) -> tuple[Tensor, Slope, dict[str, Tensor], RandomState]:
        fused = fuse(network, view, execution)
        between = RandomState.now()
        slope = loss.run(generator, lambda module: slope_of(module, fused, view, execution, graph=keep))
        grads = gradients(fused, params, slope.value.detach(), scale=execution.scale)
        return fused.detach(), slope, grads, between

    with torch.enable_grad():
        fused, slope, grads, between = fusion.run(params, body)
    *_, total = (means := averaged({**grads, "": slope.total})).values()
    grads = {name: means[name] for name in grads}
    kept = slope.keeping(generator, clones(loss_buffers)) if keep else None
    step = InnerStep(fusion.params, grads, fusion.state, buffers, fused, kept, loss_buffers, random, between)
    return step, total


def update_task(problem: MetaProblem, task: Network, fusion: Network, fused: Tensor, batch: FusionBatch) -> Tensor:
    """Runs one inner update of T on a detached fused image (Eq. 5); returns its loss before the update."""
    execution = problem.execution
    if batch.fusion_view is not None:
        with torch.no_grad():
            fused = fusion.run(fusion.params, lambda network: fuse(network, batch.sources, execution))
    params = leaves(task.params)

    def body(network: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        total = task_loss(network, fused, targets_of(network, batch), execution.run)
        return total.detach(), gradients(total, params, scale=execution.scale)

    with torch.enable_grad():
        total, grads = task.run(params, body)
    *_, total = (means := averaged({**grads, "": total})).values()
    updated, task.state = problem.task_rule(task.params, {name: means[name] for name in grads}, task.state)
    task.params = {name: tensor.detach() for name, tensor in updated.items()}
    return total


def outer_gradient(
    fusion: Network, task: Network, batch: FusionBatch, execution: Execution
) -> tuple[Tensor, dict[str, Tensor]]:
    """L_t(T', F') on the meta-test batch, and its gradient with respect to the fast weights of F'."""
    params = leaves(fusion.params)

    def body(network: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        fused = fuse(network, batch.sources, execution)
        return task.run(task.params, lambda module: differentiate(module, fused))  # type: ignore[no-any-return]

    def differentiate(module: nn.Module, fused: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        total = task_loss(module, fused, targets_of(module, batch), execution.run)
        return total.detach(), gradients(total, params, scale=execution.scale)

    with torch.enable_grad():
        total, grads = fusion.run(params, body)
    means = averaged({**grads, "": total})
    return means[""], {name: means[name] for name in grads}
