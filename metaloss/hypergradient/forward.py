"""The exact meta-gradient by forward-mode differentiation: the memory of a plain training step.

The fusion network is differentiated once forwards along one direction (u = J_F nu), never twice
backwards; the task network once backwards. See :mod:`metaloss.hypergradient.walk` for the rest.
"""

from __future__ import annotations

import warnings
from functools import cache

import torch
import torch.autograd.forward_ad as fwd
from torch import Tensor, nn

from metaloss.batch import FusionBatch
from metaloss.hypergradient.functional import clones, gradients, leaves, with_tensors
from metaloss.hypergradient.operators import MissingDerivativeError, forward_mode
from metaloss.hypergradient.problem import MetaGradient, MetaProblem
from metaloss.hypergradient.unroll import InnerStep, Trajectory, fuse
from metaloss.hypergradient.walk import walk_back


def forward(problem: MetaProblem, meta_train: FusionBatch, meta_test: FusionBatch) -> MetaGradient:
    """Computes Eq. 7 exactly, with forward-mode differentiation of F.

    Args:
        problem: F, L_f, T, and the inner rules.
        meta_train: the batch of the inner updates.
        meta_test: the batch of the outer loss.

    Returns:
        The meta-gradient.

    Raises:
        MissingDerivativeError: an operator of F has no forward-mode rule; with K > 1 inner steps, of L_f neither.
    """
    _load_rules()
    return walk_back(problem, meta_train, meta_test, _directional)


def _directional(
    trajectory: Trajectory, step: InnerStep, batch: FusionBatch, direction: dict[str, Tensor], hessian: bool
) -> tuple[Tensor, Tensor, dict[str, Tensor] | None]:
    try:
        return _dual(trajectory, step, batch, direction, hessian, create_graph=False)
    except MissingDerivativeError:
        # the backward of some operators (SiLU) has a forward-mode rule only where it records a graph
        if not hessian:
            raise
        return _dual(trajectory, step, batch, direction, hessian, create_graph=True)


def _dual(
    trajectory: Trajectory,
    step: InnerStep,
    batch: FusionBatch,
    direction: dict[str, Tensor],
    hessian: bool,
    *,
    create_graph: bool,
) -> tuple[Tensor, Tensor, dict[str, Tensor] | None]:
    fusion, loss = trajectory.fusion, trajectory.loss
    params = leaves(step.params) if hessian else step.params
    with forward_mode(), step.random.replayed(), torch.set_grad_enabled(hessian), fwd.dual_level():
        duals = {name: fwd.make_dual(tensor, direction[name]) for name, tensor in params.items()}

        def body(network: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
            fused = fuse(network, batch.loss_view)
            if not hessian:
                return fused, {}
            tensors = {**loss.params, **loss.frozen}
            return fused, with_tensors(
                loss.module, tensors, clones(step.loss_buffers), lambda module: slopes(module, fused)
            )

        def slopes(module: nn.Module, fused: Tensor) -> dict[str, Tensor]:
            return gradients(module(fused, batch.loss_view).total, params, create_graph=create_graph)

        fused, grads = with_tensors(fusion.module, {**duals, **fusion.frozen}, clones(step.buffers), body)
        value, tangent = _unpack(fused)
        product = {name: _unpack(grad)[1] for name, grad in grads.items()} if hessian else None
    return value, tangent, product


@cache
def _load_rules() -> None:
    # torch reads its forward-mode rules at the first dual tensor, by a call that it deprecates itself
    with warnings.catch_warnings(), fwd.dual_level():
        warnings.simplefilter("ignore", DeprecationWarning)
        fwd.make_dual(torch.zeros(()), torch.zeros(()))


def _unpack(dual: Tensor) -> tuple[Tensor, Tensor]:
    value, tangent = fwd.unpack_dual(dual)
    return value.detach(), torch.zeros_like(value) if tangent is None else tangent.detach()
