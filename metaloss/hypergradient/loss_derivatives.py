"""Derivatives of the fusion loss by the fused image and by the loss generator.

The loss generator reaches the fusion network through s = dL_f/df alone: all second derivatives that a
meta-gradient needs are taken here, of the loss module and of nothing else.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from metaloss.hypergradient.calls import fusion_terms
from metaloss.hypergradient.execution import Execution
from metaloss.hypergradient.fast_weights import FastWeights
from metaloss.hypergradient.functional import leaves
from metaloss.hypergradient.inner_step import InnerStep
from metaloss.hypergradient.operators import check_twice_differentiable, second_derivative


class LossProducts(NamedTuple):
    """Derivatives of <dL_f/df, u>, and what they are taken of.

    Attributes:
        generator: by theta_G, the part of the meta-gradient; what is not reached is left out.
        image_gradient: s = dL_f/df, detached.
        hvp: by f, the loss's own Hessian-vector product along u; zeros where it was not asked for.
    """

    generator: dict[str, Tensor]
    image_gradient: Tensor
    hvp: Tensor


def image_gradient(
    module: nn.Module, image: Tensor, view: tuple[Tensor, ...], execution: Execution, *, create_graph: bool
) -> tuple[Tensor, Tensor]:
    """Computes L_f and s = dL_f/df.

    Args:
        module: L_f, with the parameters it shall have.
        image: f, in the graph that s shall be part of, if it is in one.
        view: the sources that belong to it.
        execution: how L_f is run.
        create_graph: whether s can be differentiated again.

    Returns:
        L_f (0-d, detached) and s.
    """
    image = image if image.requires_grad else image.detach().requires_grad_()
    total = fusion_terms(module, image, view, execution, derivatives=2 if create_graph else 1).total
    if not total.requires_grad:
        return total.detach(), torch.zeros_like(image)
    (value,) = torch.autograd.grad(total, image, create_graph=create_graph, allow_unused=True, materialize_grads=True)
    return total.detach(), value


def loss_products(
    loss: FastWeights, step: InnerStep, view: tuple[Tensor, ...], tangent: Tensor, execution: Execution, *, hvp: bool
) -> LossProducts:
    """Differentiates <dL_f(f; theta_G)/df, u> with f and u held fixed.

    Args:
        loss: L_f at its own parameters.
        step: the inner step that gave f.
        view: the sources that belong to it.
        tangent: u, of the shape of f.
        execution: how L_f is run.
        hvp: whether the derivative by f is wanted, too.

    Returns:
        The derivatives.

    Raises:
        MissingDerivativeError: an operator of L_f can be differentiated once only.
    """
    params, image = leaves(loss.params), step.fused.detach().requires_grad_()
    inputs = [*params.values(), *([image] if hvp else [])]
    values: list[Tensor | None] = [None] * len(inputs)
    with (
        second_derivative(),
        torch.enable_grad(),
        loss.replayed(params, step.loss_buffers, step.loss_random) as module,
    ):
        _, s = image_gradient(module, image, view, execution, create_graph=True)
        check_twice_differentiable([s])
        product = (s * tangent).sum()
        if inputs and product.requires_grad:
            values = list(torch.autograd.grad(product, inputs, allow_unused=True))
    by_image = values[-1] if hvp else None
    generator = {name: value for name, value in zip(params, values, strict=False) if value is not None}
    return LossProducts(generator, s.detach(), torch.zeros_like(tangent) if by_image is None else by_image)
