"""An approximate meta-gradient from forward and first-order passes alone, for any operator.

The directional derivatives are replaced by differences, u = (F(theta + e nu) - F(theta)) / e, and
likewise for the gradient before an earlier inner step: one more pass each.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from metaloss.batch import FusionBatch
from metaloss.hypergradient.adjoint import Adjoint, InnerProducts
from metaloss.hypergradient.calls import fuse
from metaloss.hypergradient.execution import Execution
from metaloss.hypergradient.fast_weights import FastWeights
from metaloss.hypergradient.functional import norm
from metaloss.hypergradient.inner_step import InnerStep
from metaloss.hypergradient.loss_derivatives import loss_products
from metaloss.hypergradient.problem import MetaGradient, MetaProblem
from metaloss.hypergradient.self_check import SelfCheck
from metaloss.hypergradient.unroll import Trajectory, outer_gradient, unroll
from metaloss.hypergradient.vjp import vjp


def finite_difference(problem: MetaProblem, meta_train: FusionBatch, meta_test: FusionBatch) -> MetaGradient:
    """Approximates Eq. 7 with differences along one direction in F's parameters.

    Args:
        problem: F, L_f, T, and the inner rules.
        meta_train: the batch of the inner updates.
        meta_test: the batch of the outer loss.

    Returns:
        The meta-gradient, with a relative error of about the root of the parameters' eps where F is
        smooth (1e-7 in float64, 1e-3 in float32). The differences are taken in full precision.

    Raises:
        MissingDerivativeError: an operator of L_f has no second derivative.
        WrongDerivativeError: the differences do not follow F's training gradient.
    """
    view, execution = meta_train.loss_view, problem.execution
    trajectory = unroll(problem, meta_train)
    outer_loss, cotangent = outer_gradient(trajectory.fusion, trajectory.task, meta_test, execution)
    adjoint = Adjoint(problem, trajectory, cotangent)
    check = SelfCheck("finite_difference", problem, trajectory, view)
    for step, nu in adjoint:
        products = _products(trajectory, step, nu, view, execution, hvp=adjoint.unfinished)
        check.step(step, nu, products)
        if check.first:
            check.cotangent(step, nu, products.tangent, products)
        adjoint.add(products)
    return adjoint.meta_gradient(outer_loss)


def step_size(params: dict[str, Tensor], direction: dict[str, Tensor]) -> Tensor:
    """The difference step e = eps^(1/2) max(1, rms(theta)) / |nu|, which balances rounding and curvature."""
    length = norm(direction.values())
    eps = max(torch.finfo(tensor.dtype).eps for tensor in params.values())
    scale = norm(params.values()) / sum(tensor.numel() for tensor in params.values()) ** 0.5
    size: Tensor = eps**0.5 * scale.clamp_min(1) / length.clamp_min(torch.finfo(length.dtype).tiny)
    return size


def _products(
    trajectory: Trajectory,
    step: InnerStep,
    nu: dict[str, Tensor],
    view: tuple[Tensor, ...],
    execution: Execution,
    *,
    hvp: bool,
) -> InnerProducts:
    size = step_size(step.params, nu)
    rough = execution.precision is not None  # the inner step's own values have too few digits then
    exact = replace(execution, precision=None)
    moved = {name: tensor + size.to(tensor.device) * nu[name] for name, tensor in step.params.items()}
    start = _image(trajectory.fusion, step, step.params, view, exact) if rough else step.fused
    size = size.to(start.device, start.dtype)
    u = (_image(trajectory.fusion, step, moved, view, exact) - start) / size
    loss = loss_products(trajectory.loss, step, view, u, execution, hvp=hvp)
    if not hvp:
        return InnerProducts(u, loss.image_gradient, loss.generator)
    s = loss.image_gradient
    above = vjp(trajectory.fusion, step, moved, view, s + size * loss.hvp, exact)
    below = vjp(trajectory.fusion, step, step.params, view, s, exact) if rough else step.own_grads
    along = {name: (above[name] - below[name]) / size.to(above[name].device) for name in above}
    return InnerProducts(u, s, loss.generator, along)


def _image(
    fusion: FastWeights,
    step: InnerStep,
    params: dict[str, Tensor],
    view: tuple[Tensor, ...],
    execution: Execution,
) -> Tensor:
    with torch.no_grad(), fusion.replayed(params, step.buffers, step.random) as network:
        return fuse(network, view, execution)
