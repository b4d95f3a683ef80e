"""The exact meta-gradient by forward-mode differentiation: the memory of a plain training step.

The fusion network is differentiated once forwards along one direction (u = J_F nu), never twice
backwards; the task network once backwards.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.autograd.forward_ad as fwd
from torch import Tensor

from metaloss.batch import FusionBatch
from metaloss.hypergradient.adjoint import Adjoint, InnerProducts
from metaloss.hypergradient.execution import Execution
from metaloss.hypergradient.functional import gradients, largest, leaves
from metaloss.hypergradient.inner_step import InnerStep
from metaloss.hypergradient.jvp import dual_image, jvp, tangent_of
from metaloss.hypergradient.loss_derivatives import loss_products
from metaloss.hypergradient.operators import MissingDerivativeError
from metaloss.hypergradient.problem import MetaGradient, MetaProblem
from metaloss.hypergradient.self_check import SelfCheck
from metaloss.hypergradient.unroll import Trajectory, outer_gradient, unroll

_LENGTH = 64.0


def forward(problem: MetaProblem, meta_train: FusionBatch, meta_test: FusionBatch) -> MetaGradient:
    """Computes Eq. 7 exactly, with forward-mode differentiation of F.

    Args:
        problem: F, L_f, T, and the inner rules.
        meta_train: the batch of the inner updates.
        meta_test: the batch of the outer loss.

    Returns:
        The meta-gradient.

    Raises:
        MissingDerivativeError: an operator of F has no forward-mode rule, or one of L_f no second derivative.
        WrongDerivativeError: F's forward derivative is not that of its training gradient.
    """
    view, execution = meta_train.loss_view, problem.execution
    trajectory = unroll(problem, meta_train)
    outer_loss, cotangent = outer_gradient(trajectory.fusion, trajectory.task, meta_test, execution)
    adjoint = Adjoint(problem, trajectory, cotangent)
    check = SelfCheck("forward", problem, trajectory, view)
    for step, nu in adjoint:
        products = _products(trajectory, step, nu, view, execution, hvp=adjoint.unfinished)
        check.step(step, nu, products)
        if check.first:
            exact = replace(execution, precision=None)
            u = products.tangent if exact == execution else jvp(trajectory.fusion, step, nu, view, exact)
            check.cotangent(step, nu, u, products)
        adjoint.add(products)
    return adjoint.meta_gradient(outer_loss)


def _products(
    trajectory: Trajectory,
    step: InnerStep,
    nu: dict[str, Tensor],
    view: tuple[Tensor, ...],
    execution: Execution,
    *,
    hvp: bool,
    create_graph: bool = False,
) -> InnerProducts:
    # half precision would lose a short direction, and overflow along a long one
    size = _LENGTH * largest(nu.values()) if execution.scale != 1 else torch.ones(())
    params = leaves(step.params) if hvp else step.params
    direction = {name: value / size.to(value.device) for name, value in nu.items()}
    try:
        with dual_image(trajectory.fusion, step, params, direction, view, execution) as fused:
            size = size.to(fused.device)
            u = tangent_of(fused) * size
            loss = loss_products(trajectory.loss, step, view, u, execution, hvp=hvp)
            if not hvp:
                return InnerProducts(u, loss.image_gradient, loss.generator)
            s = fwd.make_dual(loss.image_gradient, loss.hvp / size)
            grads = gradients(fused, params, s, create_graph=create_graph, scale=execution.scale)
            along = {name: tangent_of(grad) * size.to(grad.device) for name, grad in grads.items()}
            return InnerProducts(u, loss.image_gradient, loss.generator, along)
    except MissingDerivativeError:
        # the backward of some operators (SiLU) has a forward-mode rule only where it records a graph
        if not hvp or create_graph:
            raise
        return _products(trajectory, step, nu, view, execution, hvp=True, create_graph=True)
