"""Eq. 4-7 unrolled by hand, with torch.func and double backward: what every method is compared with."""

import torch
from torch.func import functional_call


def outer_loss(problem, meta_train, meta_test, generator, *, create_graph):
    """Eq. 4-6 unrolled by hand; T's trajectory is a constant. Differentiable in ``generator``."""

    def split(module):
        named = dict(module.named_parameters())
        learning = {name: param for name, param in named.items() if param.requires_grad}
        return learning, {name: param for name, param in named.items() if not param.requires_grad}

    def run(module, params, *inputs):
        buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
        return functional_call(module, {**params, **split(module)[1], **buffers}, inputs)

    def grads(total, params, create_graph=False):
        values = torch.autograd.grad(
            total, list(params.values()), create_graph=create_graph, allow_unused=True, materialize_grads=True
        )
        return dict(zip(params, values, strict=True))

    torch.manual_seed(3)
    fast, _ = split(problem.fusion)
    task, _ = split(problem.task)
    fast_state, task_state = problem.fusion_state, problem.task_state
    for _ in range(problem.steps):
        fused = run(problem.fusion, fast, *meta_train.loss_view)
        total = run(problem.loss, generator, fused, meta_train.loss_view).total
        shown = fused if meta_train.fusion_view is None else run(problem.fusion, fast, *meta_train.sources)
        slope = grads(run(problem.task, task, shown.detach(), meta_train.target), task)
        task, task_state = problem.task_rule(task, slope, task_state)
        task = {name: value.detach().requires_grad_() for name, value in task.items()}
        fast, fast_state = problem.fusion_rule(fast, grads(total, fast, create_graph), fast_state)
        if not create_graph:
            fast = {name: value.detach().requires_grad_() for name, value in fast.items()}
    fused = run(problem.fusion, fast, *meta_test.sources)
    total = run(problem.task, task, fused, meta_test.target)
    return total if create_graph else total.detach()


def learning(module):
    return {name: param.detach().clone() for name, param in module.named_parameters() if param.requires_grad}


def by_hand(problem, meta_train, meta_test):
    generator = {name: value.requires_grad_() for name, value in learning(problem.loss).items()}
    total = outer_loss(problem, meta_train, meta_test, generator, create_graph=True)
    return dict(zip(generator, torch.autograd.grad(total, list(generator.values())), strict=True))
