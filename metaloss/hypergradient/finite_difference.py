"""An approximate meta-gradient from forward and first-order passes alone, for any operator.

The directional derivatives are replaced by differences, u = (F(theta + e nu) - F(theta)) / e, and
likewise for the gradient before an earlier inner step: one more pass each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from metaloss.batch import FusionBatch
from metaloss.hypergradient.functional import clones, gradients, leaves, with_tensors
from metaloss.hypergradient.network import fuse
from metaloss.hypergradient.problem import MetaGradient, MetaProblem
from metaloss.hypergradient.slope import Turn
from metaloss.hypergradient.unroll import InnerStep, Trajectory
from metaloss.hypergradient.walk import Along, walk_back


def finite_difference(problem: MetaProblem, meta_train: FusionBatch, meta_test: FusionBatch) -> MetaGradient:
    """Approximates Eq. 7 with differences along one direction in F's parameters.

    Args:
        problem: F, L_f, T, and the inner rules.
        meta_train: the batch of the inner updates.
        meta_test: the batch of the outer loss.

    Returns:
        The meta-gradient, with a relative error of about the root of the parameters' eps where F is
        smooth (1e-7 in float64, 1e-3 in float32). The differences are taken in full precision.
    """
    return walk_back(problem, meta_train, meta_test, _directional)


def step_size(params: dict[str, Tensor], direction: dict[str, Tensor]) -> Tensor:
    """The difference step e = eps^(1/2) max(1, rms(theta)) / |nu|, which balances rounding and curvature."""
    norm = _norm(direction)
    eps = max(torch.finfo(tensor.dtype).eps for tensor in params.values())
    scale = _norm(params) / sum(tensor.numel() for tensor in params.values()) ** 0.5
    size: Tensor = eps**0.5 * scale.clamp_min(1) / norm.clamp_min(torch.finfo(norm.dtype).tiny)
    return size


def _norm(tensors: dict[str, Tensor]) -> Tensor:
    first = next(iter(tensors.values()))
    norm: Tensor = torch.linalg.vector_norm(
        torch.stack([torch.linalg.vector_norm(tensor).to(first) for tensor in tensors.values()])
    )
    return norm


def _directional(along: Along) -> dict[str, Tensor] | None:
    trajectory, step, batch, direction = along.trajectory, along.step, along.batch, along.direction
    size = step_size(step.params, direction)
    rough = trajectory.execution.precision is not None  # the inner step's own values have too few digits then
    below = _evaluate(trajectory, step, batch, step.params)[0] if rough else step.fused
    turns: list[Turn] = []

    def above(fused: Tensor) -> Tensor:
        turns.append(along.turning((fused - below) / size.to(fused)))
        return turns[0].slope + size.to(fused) * turns[0].bend

    moved = {name: tensor + size.to(tensor) * direction[name] for name, tensor in step.params.items()}
    if not along.hessian:
        above(_evaluate(trajectory, step, batch, moved)[0])
        return None
    slopes = _evaluate(trajectory, step, batch, moved, above)[1]
    start = _evaluate(trajectory, step, batch, step.params, lambda _: turns[0].slope)[1] if rough else step.grads
    return {name: (slopes[name] - start[name]) / size.to(slopes[name]) for name in slopes}


def _evaluate(
    trajectory: Trajectory,
    step: InnerStep,
    batch: FusionBatch,
    params: dict[str, Tensor],
    slope: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The image at some parameters, and its gradient where a cotangent is given; in full precision."""
    fusion, execution = trajectory.fusion, replace(trajectory.execution, precision=None)
    params = params if slope is None else leaves(params)

    def body(network: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        fused = fuse(network, batch.loss_view, execution)
        image = fused.detach()
        return image, {} if slope is None else gradients(fused, params, slope(image))

    with step.random.replayed(), torch.set_grad_enabled(slope is not None):
        return with_tensors(fusion.module, {**params, **fusion.frozen}, clones(step.buffers), body)
