"""The exact meta-gradient by double backward: the way of the papers' code, for any operator with second derivatives.

The inner steps' graphs are kept until the backward pass reaches them, so memory grows with K. Each
step's graph is differentiated while its weights are in place.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor

from metaloss.batch import FusionBatch
from metaloss.hypergradient.adjoint import Adjoint, InnerProducts
from metaloss.hypergradient.calls import fuse
from metaloss.hypergradient.fast_weights import FastWeights
from metaloss.hypergradient.functional import clones, gradients, largest, leaves
from metaloss.hypergradient.inner_step import InnerStep
from metaloss.hypergradient.loss_derivatives import image_gradient
from metaloss.hypergradient.operators import check_twice_differentiable, second_derivative
from metaloss.hypergradient.problem import MetaGradient, MetaProblem
from metaloss.hypergradient.random_state import RandomState
from metaloss.hypergradient.self_check import SelfCheck
from metaloss.hypergradient.unroll import Trajectory, fast_weights, outer_gradient, update, update_task
from metaloss.runtime.processes import averaged


@dataclass(frozen=True)
class _Graph:
    """An inner step's own graph.

    Attributes:
        params: theta_F, leaves.
        image_gradient: s = dL_f/df with its graph.
        grads: g = J_F^T s with its graph.
        weights_in_place: keeps theta_F in the network until it is closed.
    """

    params: dict[str, Tensor]
    image_gradient: Tensor
    grads: dict[str, Tensor]
    weights_in_place: ExitStack


def reverse(problem: MetaProblem, meta_train: FusionBatch, meta_test: FusionBatch) -> MetaGradient:
    """Computes Eq. 7 exactly, by differentiating the inner updates' own backward pass.

    Args:
        problem: F, L_f, T, and the inner rules.
        meta_train: the batch of the inner updates.
        meta_test: the batch of the outer loss.

    Returns:
        The meta-gradient.

    Raises:
        MissingDerivativeError: an operator of F or L_f has no second derivative.
        WrongDerivativeError: the backward pass of a part of F cannot be differentiated, and does not say so.
    """
    view, execution = meta_train.loss_view, problem.execution
    fusion, task, loss = fast_weights(problem)
    generator = leaves(loss.params)
    steps: list[InnerStep] = []
    graphs: list[_Graph] = []
    losses: list[tuple[Tensor, Tensor]] = []
    with ExitStack() as weights_in_place:
        for _ in range(problem.steps):
            step, graph, total = _inner_step(problem, fusion, loss, generator, view)
            weights_in_place.enter_context(graph.weights_in_place)
            steps.append(step)
            graphs.append(graph)
            losses.append((total, update_task(problem, task, fusion, step.fused, meta_train)))
            update(problem, fusion, step.grads)
        outer_loss, cotangent = outer_gradient(fusion, task, meta_test, execution)
        trajectory = Trajectory(fusion, task, loss, steps, *losses[0])
        adjoint = Adjoint(problem, trajectory, cotangent)
        check = SelfCheck("reverse", problem, trajectory, view)
        for step, nu in adjoint:
            graph = graphs.pop()
            products = _products(graph, nu, generator, scaled=execution.scale != 1, hvp=adjoint.unfinished)
            graph.weights_in_place.close()
            check.step(step, nu, products)
            if check.first:
                check.hessian(step, nu, products)
            adjoint.add(products)
    return adjoint.meta_gradient(outer_loss)


def _inner_step(
    problem: MetaProblem,
    fusion: FastWeights,
    loss: FastWeights,
    generator: dict[str, Tensor],
    view: tuple[Tensor, ...],
) -> tuple[InnerStep, _Graph, Tensor]:
    execution = problem.execution
    random, buffers, loss_buffers = RandomState.now(fusion.generators), clones(fusion.buffers), clones(loss.buffers)
    before, params = fusion.params, leaves(fusion.params)
    with ExitStack() as stack:
        stack.enter_context(torch.enable_grad())
        network = stack.enter_context(fusion.swapped(params))
        fused = fuse(network, view, execution, derivatives=2)
        loss_random = RandomState.now(loss.generators)
        module = stack.enter_context(loss.swapped(generator))
        total, s = image_gradient(module, fused, view, execution, create_graph=True)
        s = s if s.requires_grad else s.requires_grad_()
        grads = gradients(fused, params, s, create_graph=True, scale=execution.scale)
        check_twice_differentiable([s, *grads.values()])
        weights_in_place = stack.pop_all()
    own = {name: grad.detach() for name, grad in grads.items()}
    means = averaged({**own, "": total})
    total = means.pop("")
    step = InnerStep(before, means, own, fusion.state, buffers, fused.detach(), loss_buffers, random, loss_random)
    return step, _Graph(params, s, grads, weights_in_place), total


def _products(
    graph: _Graph, nu: dict[str, Tensor], generator: dict[str, Tensor], *, scaled: bool, hvp: bool
) -> InnerProducts:
    """Differentiates <g, nu> by s (which gives u), theta_G and theta_F."""
    size = largest(nu.values()) if scaled else torch.ones(())
    pairs = [(grad, nu[name] / size.to(nu[name].device)) for name, grad in graph.grads.items() if grad.requires_grad]
    inputs = [graph.image_gradient, *generator.values(), *(graph.params.values() if hvp else ())]
    values: tuple[Tensor | None, ...] = (None,) * len(inputs)
    if pairs:
        with second_derivative():
            values = torch.autograd.grad(
                [grad for grad, _ in pairs], inputs, [direction for _, direction in pairs], allow_unused=True
            )
    found = [None if value is None else value * size.to(value.device) for value in values]
    u, rest = found[0], found[1:]
    by_generator = {name: value for name, value in zip(generator, rest, strict=False) if value is not None}
    by_params = {
        name: torch.zeros_like(param) if value is None else value
        for (name, param), value in zip(graph.params.items(), rest[len(generator) :], strict=False)
    }
    s = graph.image_gradient.detach()
    return InnerProducts(torch.zeros_like(s) if u is None else u, s, by_generator, by_params if hvp else None)
