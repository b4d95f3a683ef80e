"""Each way of taking one meta-gradient of the same problem (TDFusion Eq. 4-7), and the inner update in image space.

A way is made once for a problem and gives a function without arguments that takes one step and
returns the gradients of the loss generator by name. SGD inner steps; T' follows detached fused images
and is held constant in the outer gradient, as the method defines it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import functional_call

import metaloss
from benchmarks.problem import INNER_LR, Case, Problem, make_problem

Gradients = dict[str, Tensor]
Step = Callable[[], Gradients]
IMAGE = "image"


def learner(problem: Problem, method: str) -> metaloss.MetaLearner:
    """The learner of a problem, of a hypergradient method or of the inner update in image space."""
    inner = {"inner_update": "image"} if method == IMAGE else {"hypergradient": method}
    return metaloss.MetaLearner(
        fusion=problem.fusion,
        loss=problem.loss,
        task=problem.task,
        **inner,  # type: ignore[arg-type]
        inner_lr=INNER_LR,
        inner_steps=problem.case.steps,
        **dict(problem.case.options),
    )


def by_metaloss(method: str) -> Callable[[Problem], Step]:
    """One of metaloss's own hypergradient methods."""

    def make(problem: Problem) -> Step:
        learns = learner(problem, method)
        return lambda: learns.meta_gradient(problem.train, problem.test).gradients

    return make


def meta_step(method: str) -> Callable[[Problem], Step]:
    """A whole meta step, with the optimizer's: no gradients to compare."""

    def make(problem: Problem) -> Step:
        learns = learner(problem, method)
        return lambda: learns.meta_step(problem.train, problem.test) and {}

    return make


def fusion_step(problem: Problem) -> Step:
    """An ordinary training step of F and T on the same batch: no gradients to compare."""
    learns = learner(problem, "forward")
    return lambda: learns.fusion_step(problem.train) and {}


def double_backward(problem: Problem) -> Step:
    """By hand in plain torch: the inner gradient with ``create_graph``, the outer one through it."""

    def step() -> Gradients:
        task_params = detached(problem.task)
        params = {name: param.detach().requires_grad_() for name, param in problem.fusion.named_parameters()}
        for _ in range(problem.case.steps):
            fused = functional_call(problem.fusion, params, problem.train.sources)
            inner = problem.loss(fused, problem.train.sources).total
            grads = torch.autograd.grad(inner, tuple(params.values()), create_graph=True)
            task_params = updated_task(problem, task_params, fused.detach())
            params = {name: param - INNER_LR * grad for (name, param), grad in zip(params.items(), grads, strict=True)}
        return outer(problem, task_params, functional_call(problem.fusion, params, problem.test.sources))

    return step


def with_torchopt(problem: Problem) -> Step:
    """TorchOpt: ``MetaSGD`` moves the network in place, its state is recovered afterwards."""
    import torchopt

    def step() -> Gradients:
        task_params = detached(problem.task)
        optimizer = torchopt.MetaSGD(problem.fusion, lr=INNER_LR)
        start = torchopt.extract_state_dict(problem.fusion, by="reference")
        for _ in range(problem.case.steps):
            fused = problem.fusion(*problem.train.sources)
            optimizer.step(problem.loss(fused, problem.train.sources).total)
            task_params = updated_task(problem, task_params, fused.detach())
        gradients = outer(problem, task_params, problem.fusion(*problem.test.sources))
        torchopt.recover_state_dict(problem.fusion, start)
        return gradients

    return step


def with_higher(problem: Problem) -> Step:
    """higher: a patched copy of the network and a differentiable SGD."""
    import higher

    sgd = torch.optim.SGD(problem.fusion.parameters(), lr=INNER_LR)

    def step() -> Gradients:
        task_params = detached(problem.task)
        options = {"copy_initial_weights": False, "track_higher_grads": True}
        with higher.innerloop_ctx(problem.fusion, sgd, **options) as (fusion, optimizer):
            for _ in range(problem.case.steps):
                fused = fusion(*problem.train.sources)
                optimizer.step(problem.loss(fused, problem.train.sources).total)
                task_params = updated_task(problem, task_params, fused.detach())
            return outer(problem, task_params, fusion(*problem.test.sources))

    return step


def detached(module: torch.nn.Module) -> dict[str, Tensor]:
    """The module's parameters by name, without history."""
    return {name: param.detach() for name, param in module.named_parameters()}


def updated_task(problem: Problem, params: dict[str, Tensor], fused: Tensor) -> dict[str, Tensor]:
    """One SGD step of T on a detached fused image (Eq. 5)."""
    params = {name: param.detach().requires_grad_() for name, param in params.items()}
    inner = functional_call(problem.task, params, (fused, problem.train.target))
    grads = torch.autograd.grad(inner, tuple(params.values()))
    return {name: (param - INNER_LR * grad).detach() for (name, param), grad in zip(params.items(), grads, strict=True)}


def outer(problem: Problem, task_params: dict[str, Tensor], fused: Tensor) -> Gradients:
    """The gradient of the outer loss with respect to G (Eq. 6, 7)."""
    total = functional_call(problem.task, task_params, (fused, problem.test.target))
    generator = dict(problem.loss.named_parameters())
    return dict(zip(generator, torch.autograd.grad(total, tuple(generator.values())), strict=True))


OWN = ("forward", "reverse", "finite_difference")
PEERS = ("torchopt", "higher")
WAYS: dict[str, Callable[[Problem], Step]] = {
    **{method: by_metaloss(method) for method in OWN},
    IMAGE: by_metaloss(IMAGE),
    **{f"meta step, {method}": meta_step(method) for method in (*OWN, IMAGE)},
    "fusion step": fusion_step,
    "double backward": double_backward,
    "published": double_backward,
    "torchopt": with_torchopt,
    "higher": with_higher,
}


def make_step(case: Case) -> Step:
    """Builds a case's problem and the way of its step."""
    return WAYS[case.way](make_problem(case, published=case.way == "published"))
