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
from metaloss.hypergradient.functional import clones, gradients, largest, leaves, with_tensors
from metaloss.hypergradient.network import fuse
from metaloss.hypergradient.operators import MissingDerivativeError, forward_mode
from metaloss.hypergradient.problem import MetaGradient, MetaProblem
from metaloss.hypergradient.walk import Along, walk_back

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
    """
    _load_rules()
    return walk_back(problem, meta_train, meta_test, _directional)


def _directional(along: Along) -> dict[str, Tensor] | None:
    try:
        return _dual(along, create_graph=False)
    except MissingDerivativeError:
        # the backward of some operators (SiLU) has a forward-mode rule only where it records a graph
        if not along.hessian:
            raise
        return _dual(along, create_graph=True)


def _dual(along: Along, *, create_graph: bool) -> dict[str, Tensor] | None:
    step, view, direction, hessian = along.step, along.batch.loss_view, along.direction, along.hessian
    fusion, execution = along.trajectory.fusion, along.trajectory.execution
    # half precision would lose a short direction, and overflow along a long one
    size = _LENGTH * largest(direction.values()) if execution.scale != 1 else torch.ones(())
    params = leaves(step.params) if hessian else step.params

    def body(network: nn.Module) -> dict[str, Tensor] | None:
        fused = fuse(network, view, execution, derivatives=2)
        tangent = _tangent(fused)
        turned = along.turning(tangent * size.to(tangent))
        if not hessian:
            return None
        slope = fwd.make_dual(turned.slope, turned.bend / size.to(tangent))
        grads = gradients(fused, params, slope, create_graph=create_graph, scale=execution.scale)
        return {name: _tangent(grad) * size.to(grad.device) for name, grad in grads.items()}

    with forward_mode(), step.random.replayed(), torch.set_grad_enabled(hessian), fwd.dual_level():
        duals = {name: fwd.make_dual(tensor, direction[name] / size.to(tensor)) for name, tensor in params.items()}
        return with_tensors(fusion.module, {**duals, **fusion.frozen}, clones(step.buffers), body)


def _tangent(dual: Tensor) -> Tensor:
    value, tangent = fwd.unpack_dual(dual)
    return torch.zeros_like(value) if tangent is None else tangent.detach()


@cache
def _load_rules() -> None:
    # torch reads its forward-mode rules at the first dual tensor, by a call that it deprecates itself
    with warnings.catch_warnings(), fwd.dual_level():
        warnings.simplefilter("ignore", DeprecationWarning)
        fwd.make_dual(torch.zeros(()), torch.zeros(()))
