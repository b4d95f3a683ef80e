"""The slope of the fusion loss over the fused image, and how it turns with the loss generator.

The loss generator reaches the fusion network through dL_f/df alone: all second derivatives that a
meta-gradient needs are taken here, of the loss module and of nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from metaloss.hypergradient.execution import Execution
from metaloss.hypergradient.functional import clones, leaves, with_tensors
from metaloss.hypergradient.network import Network
from metaloss.hypergradient.operators import check_twice_differentiable, second_derivative


@dataclass(frozen=True)
class Slope:
    """dL_f/df at an image.

    Attributes:
        total: L_f, 0-d, detached.
        image: f, a leaf.
        value: dL_f/df, with its graph where it was kept.
        params: theta_G as leaves of that graph.
        buffers: of the loss module, to go with them.
    """

    total: Tensor
    image: Tensor
    value: Tensor
    params: Mapping[str, Tensor] = field(default_factory=dict)
    buffers: Mapping[str, Tensor] = field(default_factory=dict)

    def keeping(self, params: Mapping[str, Tensor], buffers: Mapping[str, Tensor]) -> Slope:
        """With what its graph was recorded on."""
        return replace(self, params=params, buffers=buffers)


class Turn(NamedTuple):
    """Derivatives of <dL_f/df, u>.

    Attributes:
        generator: by theta_G, the part of the meta-gradient; what is not reached is left out.
        slope: dL_f/df, detached.
        bend: by f, the loss's own Hessian-vector product; zeros where it was not asked for.
    """

    generator: dict[str, Tensor]
    slope: Tensor
    bend: Tensor


def slope_of(module: nn.Module, fused: Tensor, view: tuple[Tensor, ...], execution: Execution, *, graph: bool) -> Slope:
    """Takes dL_f/df.

    Args:
        module: L_f, ``(fused, sources) -> FusionLossTerms``, with the parameters it shall have.
        fused: f.
        view: the sources that belong to it.
        execution: how L_f is run.
        graph: whether the slope can be differentiated again.

    Returns:
        The slope.
    """
    image = fused.detach().requires_grad_()
    total = execution.run(module, image, view, derivatives=2 if graph else 1, autocast=False).total
    if not total.requires_grad:
        return Slope(total.detach(), image, torch.zeros_like(image))
    (value,) = torch.autograd.grad(total, image, create_graph=graph, materialize_grads=True)
    return Slope(total.detach(), image, value)


def turn(
    loss: Network,
    buffers: Mapping[str, Tensor],
    fused: Tensor,
    view: tuple[Tensor, ...],
    tangent: Tensor,
    execution: Execution,
    *,
    kept: Slope | None = None,
    bend: bool = False,
) -> Turn:
    """Differentiates <dL_f/df, u> with f and u held fixed.

    Args:
        loss: L_f at its own parameters.
        buffers: of L_f, as they were before the inner step.
        fused: f.
        view: the sources that belong to it.
        tangent: u, of the shape of f.
        execution: how L_f is run.
        kept: the slope with its graph, if there is one already.
        bend: whether the derivative by f is wanted, too.

    Returns:
        The derivatives.

    Raises:
        MissingDerivativeError: an operator of L_f can be differentiated once only.
    """
    params = leaves(loss.params) if kept is None else kept.params

    def body(module: nn.Module) -> Turn:
        slope = slope_of(module, fused, view, execution, graph=True) if kept is None else kept
        check_twice_differentiable([slope.value])
        product = (slope.value * tangent).sum()
        inputs = [*params.values(), *([slope.image] if bend else [])]
        values: list[Tensor | None] = [None] * len(inputs)
        if inputs and product.requires_grad:
            values = list(torch.autograd.grad(product, inputs, allow_unused=True))
        bent = values[-1] if bend else None
        reached = {name: value for name, value in zip(params, values, strict=False) if value is not None}
        return Turn(reached, slope.value.detach(), torch.zeros_like(tangent) if bent is None else bent)

    own = buffers if kept is None else kept.buffers
    with second_derivative(), torch.enable_grad():
        return with_tensors(loss.module, {**params, **loss.frozen}, clones(own), body)
