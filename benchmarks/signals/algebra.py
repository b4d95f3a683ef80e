"""What the inner updates that were tried share: conjugate gradients, and the task's gradient by the image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from metaloss import FusionBatch, MetaLearner
from metaloss.tasks import targets_of, task_loss

Tensors = dict[str, Tensor]


def dot(one: Tensors, other: Tensors) -> float:
    """The inner product over all tensors."""
    return sum(float((one[name] * other[name]).sum()) for name in one)


def conjugate_gradients(matrix: Callable[[Tensors], Tensors], right: Tensors, iterations: int) -> Tensors:
    """Solves ``matrix(x) = right`` from zero, for a symmetric positive matrix."""
    found = {name: torch.zeros_like(tensor) for name, tensor in right.items()}
    residual, direction, size = dict(right), dict(right), dot(right, right)
    for _ in range(iterations):
        product = matrix(direction)
        step = size / dot(direction, product)
        found = {name: found[name] + step * direction[name] for name in found}
        residual = {name: residual[name] - step * product[name] for name in found}
        before, size = size, dot(residual, residual)
        direction = {name: residual[name] + size / before * direction[name] for name in found}
    return found


def task_gradient(learner: MetaLearner, image: Tensor, batch: FusionBatch) -> Tensor:
    """dL_t/df at an image."""
    leaf = image.detach().requires_grad_()
    with torch.enable_grad():
        total = task_loss(learner.task, leaf, targets_of(learner.task, batch))
    return torch.autograd.grad(total, leaf)[0]
