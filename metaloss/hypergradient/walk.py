"""The walk back over the inner steps that `forward` and `finite_difference` share.

Walking from step K - 1 to 0 with the cotangent of the fast weights, each step needs two
directional derivatives along nu, the cotangent of its gradient g = dL_f/dtheta: u, that of the
fused image, and (before step 0) H nu, that of g itself. Then

    d<g, nu>/dtheta_G = d<dL_f(f; theta_G)/df, u>/dtheta_G,   f and u held fixed,

needs second derivatives of the loss module alone; with its own Hessian-vector product along u,
H nu needs first derivatives of the network only. Memory does not grow with K.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from metaloss.batch import FusionBatch
from metaloss.hypergradient.functional import is_float, leaves
from metaloss.hypergradient.problem import MetaGradient, MetaProblem
from metaloss.hypergradient.slope import Turn, turn
from metaloss.hypergradient.unroll import InnerStep, Trajectory, outer_gradient, unroll
from metaloss.processes import averaged, averaged_where_present

Turning = Callable[[Tensor], Turn]


@dataclass(frozen=True)
class Along:
    """One inner step, to be differentiated along a direction.

    Attributes:
        trajectory: the networks, and how they are run.
        step: where the step started.
        batch: the batch of the inner updates.
        direction: nu, by parameter name.
        hessian: whether H nu is asked for.
        turning: gives dL_f/df and its derivative along u, once u is known.
    """

    trajectory: Trajectory
    step: InnerStep
    batch: FusionBatch
    direction: dict[str, Tensor]
    hessian: bool
    turning: Turning


Directional = Callable[[Along], "dict[str, Tensor] | None"]
"""Computes u, calls ``turning(u)``, goes on to H nu where it is asked for; draws the same random numbers again."""


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
    outer_loss, cotangent = outer_gradient(trajectory.fusion, trajectory.task, meta_test, problem.execution)
    total: dict[str, Tensor] = {}
    behind = Cotangents(cotangent, [])
    while trajectory.steps:
        step = trajectory.steps.pop()
        direction, behind = _through_rule(problem, step, behind)
        turning = _once(partial(_turn, trajectory, step, meta_train, total))
        product = directional(Along(trajectory, step, meta_train, direction, bool(trajectory.steps), turning))
        if product is not None:
            means = averaged(product)
            behind = behind._replace(params={name: behind.params[name] + means[name] for name in means})
    total = averaged_where_present(total, trajectory.loss.params)
    return MetaGradient(total, trajectory.inner_loss, trajectory.task_inner_loss, outer_loss)


def _once(turning: Turning) -> Turning:
    """A method that has to begin again must not add the step's part twice."""
    known: list[Turn] = []

    def call(tangent: Tensor) -> Turn:
        if not known:
            known.append(turning(tangent))
        return known[0]

    return call


def _turn(
    trajectory: Trajectory, step: InnerStep, batch: FusionBatch, total: dict[str, Tensor], tangent: Tensor
) -> Turn:
    """Adds the step's part to the meta-gradient; gives what H nu needs of the loss."""
    with step.loss_random.replayed():
        turned = turn(
            trajectory.loss,
            step.loss_buffers,
            step.fused,
            batch.loss_view,
            tangent,
            trajectory.execution,
            kept=step.slope,
            bend=bool(trajectory.steps),
        )
    for name, value in turned.generator.items():
        total[name] = total[name] + value if name in total else value
    return turned


def _through_rule(
    problem: MetaProblem, step: InnerStep, cotangents: Cotangents
) -> tuple[dict[str, Tensor], Cotangents]:
    """Pulls cotangents back through one update: to its gradient, and to its parameters and state."""
    state, rebuild = pytree.tree_flatten(step.state)
    moving = [is_float(item) for item in state]
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
