"""An approximate meta-gradient from forward and first-order passes alone, for any operator.

The directional derivatives are replaced by central differences, u = (F(theta + e nu) - F(theta - e nu)) / 2e,
and likewise for the gradient before an earlier inner step.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from metaloss.batch import FusionBatch
from metaloss.hypergradient.functional import clones, gradients, leaves, with_tensors
from metaloss.hypergradient.problem import MetaGradient, MetaProblem
from metaloss.hypergradient.unroll import InnerStep, Trajectory, fuse
from metaloss.hypergradient.walk import walk_back


def finite_difference(problem: MetaProblem, meta_train: FusionBatch, meta_test: FusionBatch) -> MetaGradient:
    """Approximates Eq. 7 with central differences along one direction in F's parameters.

    Args:
        problem: F, L_f, T, and the inner rules.
        meta_train: the batch of the inner updates.
        meta_test: the batch of the outer loss.

    Returns:
        The meta-gradient, with a relative error of about eps^(2/3) of the parameters' dtype where F
        is smooth (1e-10 in float64, 1e-4 in float32).
    """
    return walk_back(problem, meta_train, meta_test, _directional)


def step_size(params: dict[str, Tensor], direction: dict[str, Tensor]) -> Tensor:
    """The difference step e = eps^(1/3) max(1, |theta|) / |nu|, which balances rounding and curvature."""
    norm = _norm(direction)
    eps = min(torch.finfo(tensor.dtype).eps for tensor in params.values())
    size: Tensor = eps ** (1 / 3) * _norm(params).clamp_min(1) / norm.clamp_min(torch.finfo(norm.dtype).tiny)
    return size


def _norm(tensors: dict[str, Tensor]) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(
        torch.stack([torch.linalg.vector_norm(tensor) for tensor in tensors.values()])
    )
    return norm


def _directional(
    trajectory: Trajectory, step: InnerStep, batch: FusionBatch, direction: dict[str, Tensor], hessian: bool
) -> tuple[Tensor, Tensor, dict[str, Tensor] | None]:
    size = step_size(step.params, direction)
    above, above_grads = _evaluate(trajectory, step, batch, direction, size, hessian)
    below, below_grads = _evaluate(trajectory, step, batch, direction, -size, hessian)
    product = {name: (above_grads[name] - below_grads[name]) / (2 * size) for name in above_grads} if hessian else None
    return (above + below) / 2, (above - below) / (2 * size), product


def _evaluate(
    trajectory: Trajectory, step: InnerStep, batch: FusionBatch, direction: dict[str, Tensor], size: Tensor, grad: bool
) -> tuple[Tensor, dict[str, Tensor]]:
    fusion, loss = trajectory.fusion, trajectory.loss
    params = leaves({name: tensor + size * direction[name] for name, tensor in step.params.items()})

    def body(network: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        fused = fuse(network, batch.loss_view)
        if not grad:
            return fused.detach(), {}
        tensors = {**loss.params, **loss.frozen}
        return fused.detach(), with_tensors(
            loss.module, tensors, clones(step.loss_buffers), lambda module: slopes(module, fused)
        )

    def slopes(module: nn.Module, fused: Tensor) -> dict[str, Tensor]:
        return gradients(module(fused, batch.loss_view).total, params)

    with step.random.replayed(), torch.set_grad_enabled(grad):
        return with_tensors(fusion.module, {**params, **fusion.frozen}, clones(step.buffers), body)
