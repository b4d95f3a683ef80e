"""The gradient of the fused image by the fusion network's parameters, at any parameters."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from metaloss.hypergradient.calls import fuse
from metaloss.hypergradient.execution import Execution
from metaloss.hypergradient.fast_weights import FastWeights
from metaloss.hypergradient.functional import gradients, leaves
from metaloss.hypergradient.inner_step import InnerStep


def vjp(
    fusion: FastWeights,
    step: InnerStep,
    params: Mapping[str, Tensor],
    view: tuple[Tensor, ...],
    cotangent: Tensor,
    execution: Execution,
) -> dict[str, Tensor]:
    """Computes J_F^T c, with the random numbers and buffers of an inner step.

    Args:
        fusion: F.
        step: the inner step.
        params: where J_F is taken, by name.
        view: the sources.
        cotangent: c, of the fused image's shape.
        execution: how F is run.

    Returns:
        The gradient by name.
    """
    inputs = leaves(params)
    with torch.enable_grad(), fusion.replayed(inputs, step.buffers, step.random) as network:
        return gradients(fuse(network, view, execution), inputs, cotangent)
