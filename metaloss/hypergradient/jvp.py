"""Forward-mode differentiation of the fused image by the fusion network's parameters."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache

import torch
import torch.autograd.forward_ad as fwd
from torch import Tensor

from metaloss.hypergradient.calls import fuse
from metaloss.hypergradient.execution import Execution
from metaloss.hypergradient.fast_weights import FastWeights
from metaloss.hypergradient.inner_step import InnerStep
from metaloss.hypergradient.operators import forward_mode
from metaloss.hypergradient.training_gradients import TrainingGradients


@contextmanager
def dual_image(
    fusion: FastWeights,
    step: InnerStep,
    params: Mapping[str, Tensor],
    direction: Mapping[str, Tensor],
    view: tuple[Tensor, ...],
    execution: Execution,
    mode: TrainingGradients | None = None,
) -> Iterator[Tensor]:
    """Runs F on dual numbers, as the inner step ran it; its weights stay in place while the block runs.

    Args:
        fusion: F.
        step: the inner step.
        params: its parameters; leaves, where the image shall be differentiated backwards as well.
        direction: their tangents, by name.
        view: the sources.
        execution: how F is run.
        mode: under which F runs; default: a plain :class:`TrainingGradients`.

    Yields:
        The fused image, a dual tensor (``tangent_of`` gives the tangent).

    Raises:
        MissingDerivativeError: an operator has no forward-mode rule.
    """
    _load_rules()
    # what is no parameter and needs no gradient records no graph: see TrainingGradients
    with forward_mode(), torch.enable_grad(), fwd.dual_level():
        duals = {name: fwd.make_dual(tensor, direction[name]) for name, tensor in params.items()}
        with fusion.replayed(duals, step.buffers, step.random) as network:
            with mode or TrainingGradients():
                fused = fuse(network, view, execution, derivatives=2)
            yield fused


def jvp(
    fusion: FastWeights,
    step: InnerStep,
    direction: Mapping[str, Tensor],
    view: tuple[Tensor, ...],
    execution: Execution,
) -> Tensor:
    """Computes u = J_F nu at the parameters of an inner step, of the fused image's shape."""
    with dual_image(fusion, step, step.params, direction, view, execution) as fused:
        return tangent_of(fused)


def tangent_of(dual: Tensor) -> Tensor:
    """The tangent of a dual tensor, zeros where it has none."""
    value, tangent = fwd.unpack_dual(dual)
    return torch.zeros_like(value) if tangent is None else tangent.detach()


@cache
def _load_rules() -> None:
    # torch reads its forward-mode rules at the first dual tensor, by a call that it deprecates itself
    with warnings.catch_warnings(), fwd.dual_level():
        warnings.simplefilter("ignore", DeprecationWarning)
        fwd.make_dual(torch.zeros(()), torch.zeros(()))
