"""The backward pass over the inner steps, which all methods share.

With lambda the cotangent of theta_(k+1), an inner step theta_(k+1) = rule(theta_k, g_k) gives nu, the cotangent
of its gradient g_k = dL_f/dtheta_k, by a VJP through the rule alone. What is left for a method to compute is

    d<g_k, nu>/dtheta_G = d<dL_f(f; theta_G)/df, u>/dtheta_G,   u = J_F nu,   f and u held fixed,

and, where an earlier step has to be reached, the Hessian-vector product H nu = d<g_k, nu>/dtheta_k.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from metaloss.hypergradient.functional import add_to, is_differentiable, leaves
from metaloss.hypergradient.inner_step import InnerStep
from metaloss.hypergradient.problem import MetaGradient, MetaProblem
from metaloss.hypergradient.unroll import Trajectory
from metaloss.inner import InnerRule
from metaloss.runtime.processes import averaged, averaged_where_present


@dataclass(frozen=True)
class InnerProducts:
    """Derivatives of <g, nu> at one inner step, with nu held fixed.

    Attributes:
        tangent: u = J_F nu, of the fused image's shape.
        image_gradient: s = dL_f/df.
        generator: by theta_G; what is not reached is left out.
        hvp: H nu, by theta_F; ``None`` where no earlier step needs it.
    """

    tangent: Tensor
    image_gradient: Tensor
    generator: dict[str, Tensor]
    hvp: dict[str, Tensor] | None = None


class Adjoint:
    """Cotangents on their way from the outer loss back to the first inner step.

    Iterate over it for each inner step, the last first, with nu, the cotangent of its gradient; :meth:`add` what
    the step gives.

    Args:
        problem: F, L_f, T, and the inner rules.
        trajectory: the inner steps.
        cotangent: of the fast weights of F', by name.
    """

    def __init__(self, problem: MetaProblem, trajectory: Trajectory, cotangent: dict[str, Tensor]) -> None:
        self.problem, self.trajectory = problem, trajectory
        self.params = cotangent
        self.state: list[Tensor | None] = []
        self.generator: dict[str, Tensor] = {}

    def __iter__(self) -> Iterator[tuple[InnerStep, dict[str, Tensor]]]:
        """Gives each inner step and nu; a step is forgotten when the next one is asked for."""
        steps = self.trajectory.steps
        while steps:
            step = steps.pop()
            nu, self.params, self.state = rule_vjp(self.problem.fusion_rule, step, self.params, self.state)
            yield step, nu

    @property
    def unfinished(self) -> bool:
        """Whether there are earlier steps, so that H nu is needed."""
        return bool(self.trajectory.steps)

    def add(self, products: InnerProducts) -> None:
        """Adds a step's part of the meta-gradient, and H nu to the cotangent of the parameters."""
        add_to(self.generator, products.generator)
        if products.hvp is not None:
            means = averaged(products.hvp)
            self.params = {name: value + means[name] for name, value in self.params.items()}

    def meta_gradient(self, outer_loss: Tensor) -> MetaGradient:
        """The meta-gradient, averaged over the processes; parameters that it does not reach are left out."""
        total = averaged_where_present(self.generator, self.trajectory.loss.params)
        return MetaGradient(total, self.trajectory.inner_loss, self.trajectory.task_inner_loss, outer_loss)


def rule_vjp(
    rule: InnerRule, step: InnerStep, by_params: Mapping[str, Tensor], by_state: list[Tensor | None]
) -> tuple[dict[str, Tensor], dict[str, Tensor], list[Tensor | None]]:
    """Pulls cotangents back through one update.

    Args:
        rule: the inner rule.
        step: the update's inputs.
        by_params: cotangents of the updated parameters.
        by_state: cotangents of the leaves of the updated state; ``None`` where there is none.

    Returns:
        Cotangents of the gradient, the parameters and the state, with g held apart from the parameters.
    """
    flat, spec = pytree.tree_flatten(step.state)
    moving = [is_differentiable(item) for item in flat]
    params, grads = leaves(step.params), leaves(step.grads)
    inputs: list[Any] = [
        item.detach().requires_grad_() if moves else item for item, moves in zip(flat, moving, strict=True)
    ]
    with torch.enable_grad():
        updated, after = rule(params, grads, pytree.tree_unflatten(inputs, spec))
    outputs = [(updated[name], by_params[name]) for name in updated]
    outputs += [
        (item, cotangent)
        for item, cotangent in zip(pytree.tree_leaves(after), by_state, strict=False)
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
    of_params = dict(zip(params, pulled, strict=False))
    of_grads = dict(zip(grads, pulled[len(params) :], strict=False))
    of_states = iter(pulled[len(params) + len(grads) :])
    return of_grads, of_params, [next(of_states) if moves else None for moves in moving]
