"""The walk back over the inner steps that `forward` and `finite_difference` share.

Walking from step K - 1 to 0 with the cotangent of the fast weights, each step needs two
directional derivatives along nu, the cotangent of its gradient g = dL_f/dtheta: u, that of the
fused image, and (before step 0) H nu, that of g itself. Then

    d<g, nu>/dtheta_G = d<dL_f(f; theta_G)/df, u>/dtheta_G,   f and u held fixed,

needs second derivatives of the loss module alone. Memory does not grow with K.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from metaloss.batch import FusionBatch
from metaloss.hypergradient.functional import clones, leaves, with_tensors
from metaloss.hypergradient.operators import check_twice_differentiable
from metaloss.hypergradient.problem import MetaGradient, MetaProblem
from metaloss.hypergradient.unroll import InnerStep, Network, Trajectory, outer_gradient, unroll

Directional = Callable[
    [Trajectory, InnerStep, FusionBatch, dict[str, Tensor], bool], "tuple[Tensor, Tensor, dict[str, Tensor] | None]"
]
"""``(trajectory, step, batch, nu, hessian) -> (f, u, H nu or None)``, drawing the step's random numbers again."""


class Cotangents(NamedTuple):
    """Derivatives of the outer loss: by the parameters, and by the state of the inner rule."""

    params: dict[str, Tensor]
    state: list[Tensor | None]


def walk_back(
    problem: MetaProblem, meta_train: FusionBatch, meta_test: FusionBatch, directional: Directional
) -> MetaGradient:
    """Computes the meta-gradient from directional derivatives.

    Args:
        problem: F, L_f, T, and the inner rules.
        meta_train: the batch of the inner updates.
        meta_test: the batch of the outer loss.
        directional: gives the derivatives along a direction in F's parameters.

    Returns:
        The meta-gradient; parameters that it does not reach are left out.
    """
    trajectory = unroll(problem, meta_train)
    outer_loss, cotangent = outer_gradient(trajectory, meta_test)
    total: dict[str, Tensor] = {}
    behind = Cotangents(cotangent, [])
    for number, step in reversed(list(enumerate(trajectory.steps))):
        direction, behind = _through_rule(problem, step, behind)
        fused, tangent, product = directional(trajectory, step, meta_train, direction, number > 0)
        for name, value in _loss_derivative(trajectory.loss, step, meta_train, fused, tangent).items():
            total[name] = total[name] + value if name in total else value
        if product is not None:
            behind = behind._replace(params={name: behind.params[name] + product[name] for name in product})
    return MetaGradient(total, trajectory.inner_loss, trajectory.task_inner_loss, outer_loss)


def _through_rule(
    problem: MetaProblem, step: InnerStep, cotangents: Cotangents
) -> tuple[dict[str, Tensor], Cotangents]:
    """Pulls cotangents back through one update: to its gradient, and to its parameters and state."""
    state, rebuild = pytree.tree_flatten(step.state)
    moving = [_is_float(item) for item in state]
    params, grads = leaves(step.params), leaves(step.grads)
    inputs = [item.detach().requires_grad_() if moves else item for item, moves in zip(state, moving, strict=True)]
    with torch.enable_grad():
        updated, after = problem.fusion_rule(params, grads, pytree.tree_unflatten(inputs, rebuild))
    outputs = [(updated[name], cotangents.params[name]) for name in updated]
    outputs += [
        (item, cotangent)
        for item, cotangent in zip(pytree.tree_leaves(after), cotangents.state, strict=False)
        if cotangent is not None
    ]
    outputs = [(output, cotangent) for output, cotangent in outputs if output.requires_grad]
    states = [item for item, moves in zip(inputs, moving, strict=True) if moves]
    pulled = torch.autograd.grad(
        [output for output, _ in outputs],
        [*params.values(), *grads.values(), *states],
        [cotangent for _, cotangent in outputs],
        allow_unused=True,
        materialize_grads=True,
    )
    by_params = dict(zip(params, pulled, strict=False))
    by_grads = dict(zip(grads, pulled[len(params) :], strict=False))
    by_states = iter(pulled[len(params) + len(grads) :])
    return by_grads, Cotangents(by_params, [next(by_states) if moves else None for moves in moving])


def _is_float(item: Any) -> bool:
    return isinstance(item, Tensor) and item.is_floating_point()


def _loss_derivative(
    loss: Network, step: InnerStep, batch: FusionBatch, fused: Tensor, tangent: Tensor
) -> dict[str, Tensor]:
    """d<dL_f/df, u>/dtheta_G with f and u held fixed; a parameter that is not reached is left out."""
    params = leaves(loss.params)

    def body(module: nn.Module) -> tuple[Tensor | None, ...]:
        image = fused.detach().requires_grad_()
        total = module(image, batch.loss_view).total
        (slope,) = torch.autograd.grad(total, image, create_graph=True, materialize_grads=True)
        check_twice_differentiable([slope])
        product = (slope * tangent).sum()
        if not params or not product.requires_grad:
            return (None,) * len(params)
        return torch.autograd.grad(product, tuple(params.values()), allow_unused=True)

    with step.loss_random.replayed(), torch.enable_grad():
        values = with_tensors(loss.module, {**params, **loss.frozen}, clones(step.loss_buffers), body)
    return {name: value for name, value in zip(params, values, strict=True) if value is not None}
