"""The inner and outer passes by first-order gradients alone (Eq. 4-6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from metaloss.batch import FusionBatch
from metaloss.errors import ShapeError
from metaloss.hypergradient.functional import (
    RandomState,
    cloned_buffers,
    clones,
    frozen,
    gradients,
    leaves,
    trainable,
    with_tensors,
)
from metaloss.hypergradient.problem import MetaProblem
from metaloss.tasks.base import targets_of, task_loss


@dataclass
class Network:
    """A network's fast weights on their way: trainable and frozen parameters, buffers and rule state."""

    module: nn.Module
    params: dict[str, Tensor]
    frozen: dict[str, Tensor]
    buffers: dict[str, Tensor]
    state: Any = None
    running: bool = False

    @staticmethod
    def of(module: nn.Module) -> Network:
        """Starts at the module's own weights, with copies of its buffers."""
        return Network(module, trainable(module), frozen(module), cloned_buffers(module))

    def run(self, params: dict[str, Tensor], body: Any) -> Any:
        """Runs ``body(module)`` with these trainable parameters in place.

        Every run works on buffers of its own, copied from the run before (or around) it: a graph that
        is still needed never sees them change.
        """
        around, self.running = self.running, True
        self.buffers = clones(dict(self.module.named_buffers()) if around else self.buffers)
        try:
            return with_tensors(self.module, {**params, **self.frozen}, self.buffers, body)
        finally:
            self.running = around


@dataclass(frozen=True)
class InnerStep:
    """What an inner step of F started from, enough to run it again."""

    params: dict[str, Tensor]
    grads: dict[str, Tensor]
    state: Any
    buffers: dict[str, Tensor]
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


def fuse(fusion: nn.Module, sources: tuple[Tensor, ...]) -> Tensor:
    """Runs the fusion network and checks that it gave one image of the sources' size.

    Raises:
        ShapeError: it did not.
    """
    fused = fusion(*sources)
    if not isinstance(fused, Tensor) or fused.ndim != 4 or fused.shape[0] != sources[0].shape[0]:
        given = tuple(fused.shape) if isinstance(fused, Tensor) else type(fused).__name__
        raise ShapeError(
            f"{type(fusion).__name__} returned {given}: a fusion network returns the fused image (B, C, H, W); "
            "for another calling form wrap it in metaloss.Adapted"
        )
    if fused.shape[-2:] != sources[0].shape[-2:]:
        raise ShapeError(
            f"{type(fusion).__name__} fused sources of {tuple(sources[0].shape[-2:])} into an image of "
            f"{tuple(fused.shape[-2:])} pixels: choose a crop or size that it keeps (a multiple of its stride)"
        )
    return fused


def unroll(problem: MetaProblem, batch: FusionBatch) -> Trajectory:
    """Runs K inner updates of F on L_f (Eq. 4) and of T on detached fused images (Eq. 5)."""
    fusion, task = Network.of(problem.fusion), Network.of(problem.task)
    loss = Network.of(problem.loss)
    steps: list[InnerStep] = []
    fusion_losses: list[Tensor] = []
    task_losses: list[Tensor] = []
    for _ in range(problem.steps):
        random, before, loss_before = RandomState.now(), clones(fusion.buffers), clones(loss.buffers)
        total, fused, grads, loss_random = _fusion_gradient(fusion, loss, batch)
        steps.append(InnerStep(fusion.params, grads, fusion.state, before, loss_before, random, loss_random))
        fusion_losses.append(total)
        task_losses.append(update_task(problem, task, fusion, fused, batch))
        updated, fusion.state = problem.fusion_rule(fusion.params, grads, fusion.state)
        fusion.params = {name: tensor.detach() for name, tensor in updated.items()}
    return Trajectory(fusion, task, loss, steps, fusion_losses[0], task_losses[0])


def _fusion_gradient(
    fusion: Network, loss: Network, batch: FusionBatch
) -> tuple[Tensor, Tensor, dict[str, Tensor], RandomState]:
    params = leaves(fusion.params)

    def body(network: nn.Module) -> tuple[Tensor, Tensor, dict[str, Tensor], RandomState]:
        fused = fuse(network, batch.loss_view)
        between = RandomState.now()
        total, grads = loss.run(loss.params, lambda module: differentiate(module, fused))
        return total, fused.detach(), grads, between

    def differentiate(module: nn.Module, fused: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        total = module(fused, batch.loss_view).total
        return total.detach(), gradients(total, params)

    with torch.enable_grad():
        return fusion.run(params, body)  # type: ignore[no-any-return]


def update_task(problem: MetaProblem, task: Network, fusion: Network, fused: Tensor, batch: FusionBatch) -> Tensor:
    """Runs one inner update of T on a detached fused image (Eq. 5); returns its loss before the update."""
    if batch.fusion_view is not None:
        with torch.no_grad():
            fused = fusion.run(fusion.params, lambda network: fuse(network, batch.sources))
    params = leaves(task.params)

    def body(network: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        total = task_loss(network, fused, targets_of(network, batch))
        return total.detach(), gradients(total, params)

    with torch.enable_grad():
        total, grads = task.run(params, body)
    updated, task.state = problem.task_rule(task.params, grads, task.state)
    task.params = {name: tensor.detach() for name, tensor in updated.items()}
    return total  # type: ignore[no-any-return]


def outer_gradient(trajectory: Trajectory, batch: FusionBatch) -> tuple[Tensor, dict[str, Tensor]]:
    """L_t(T', F') on the meta-test batch, and its gradient with respect to the fast weights of F'."""
    fusion, task = trajectory.fusion, trajectory.task
    params = leaves(fusion.params)

    def body(network: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        fused = fuse(network, batch.sources)
        return task.run(task.params, lambda module: differentiate(module, fused))  # type: ignore[no-any-return]

    def differentiate(module: nn.Module, fused: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        total = task_loss(module, fused, targets_of(module, batch))
        return total.detach(), gradients(total, params)

    with torch.enable_grad():
        return fusion.run(params, body)  # type: ignore[no-any-return]
