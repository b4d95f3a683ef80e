"""What a meta step and a fusion step are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from metaloss.batch import FusionBatch
from metaloss.data.exchange import own_order
from metaloss.hypergradient.calls import fuse, fusion_terms
from metaloss.hypergradient.execution import Execution
from metaloss.hypergradient.functional import assign_buffers, gradients, largest, swapped
from metaloss.runtime.processes import averaged
from metaloss.tasks.base import targets_of, task_loss
from metaloss.training.optimizers import Optimizers

Gradients = dict[str, dict[str, Tensor]]
"""By network and parameter."""


def max_normalised(gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Divides a gradient by its largest absolute entry over all parameters, as the published code does."""
    size = largest(gradients.values())
    return {name: value / size.to(value) for name, value in gradients.items()}


def step_with(optimizer: Optimizer, module: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Steps an optimizer on given gradients; every ``.grad`` is what it was afterwards.

    Args:
        optimizer: of the module's parameters.
        module: whose parameters they are.
        values: gradients by parameter name.
    """
    params = dict(module.named_parameters())
    before = {name: param.grad for name, param in params.items()}
    try:
        for name, param in params.items():
            param.grad = values.get(name)
        optimizer.step()
    finally:
        for name, param in params.items():
            param.grad = before[name]


def step_all(optimizers: Optimizers, gradients: Gradients) -> None:
    """Steps the optimizers of those networks that gradients are given for."""
    for name, values in gradients.items():
        if values:
            step_with(optimizers.needed(name), optimizers.networks[name], values)


class FusionStep:
    """The two gradients of a fusion step, with G fixed, and what is worth logging."""

    def __init__(self, fusion: nn.Module, loss: nn.Module, task: nn.Module, execution: Execution | None = None) -> None:
        self.fusion, self.loss, self.task = fusion, loss, task
        self.execution = execution or Execution()
        self.gradients: dict[str, Tensor] = {}
        self.log: dict[str, Tensor] = {}

    def take(self, batch: FusionBatch) -> dict[str, dict[str, Tensor]]:
        """Takes both gradients, before anything is stepped.

        Returns:
            The gradients by parameter name, under ``"fusion"`` and ``"task"``.
        """
        fused = self.fusion_gradients(batch)
        fusion = self.gradients
        self.task_gradients(batch, fused)
        return {"fusion": fusion, "task": self.gradients}

    def fusion_gradients(self, batch: FusionBatch) -> Tensor:
        """Takes the gradient of L_f with respect to F (Eq. 8).

        Returns:
            The fused image in the task's view, detached.
        """
        with torch.enable_grad():
            fused, terms = self.fusion_terms(batch)
            found = gradients(terms.total, _trainable(self.fusion), scale=self.execution.scale)
        self._take(found, self.terms_log(terms, batch))
        if batch.fusion_view is None:
            return fused.detach()
        with torch.no_grad():
            return fuse(self.fusion, batch.sources, self.execution)

    def fusion_terms(self, batch: FusionBatch) -> tuple[Tensor, Any]:
        """The fused image in the fusion loss's view, and L_f's terms with G held fixed."""
        view, execution = batch.loss_view, self.execution
        constants = {name: param.detach() for name, param in self.loss.named_parameters()}
        fused = fuse(self.fusion, view, execution)
        buffers = dict(self.loss.named_buffers())
        with swapped(self.loss, constants, buffers) as module:
            terms = fusion_terms(module, fused, view, execution)
        assign_buffers(self.loss, buffers)
        return fused, terms

    @staticmethod
    def terms_log(terms: Any, batch: FusionBatch) -> dict[str, Tensor]:
        """What is worth logging of the fusion loss."""
        return {
            "loss": terms.total,
            "intensity": terms.intensity,
            "gradient": terms.gradient,
            **weight_statistics(terms.weights.detach(), batch.order),
        }

    def task_gradients(self, batch: FusionBatch, fused: Tensor) -> None:
        """Takes the gradient of L_t with respect to T, on fused images held fixed (Eq. 9)."""
        with torch.enable_grad():
            total = task_loss(self.task, fused, targets_of(self.task, batch), self.execution.run)
            found = gradients(total, _trainable(self.task), scale=self.execution.scale)
        self._take(found, {"task_loss": total})

    def _take(self, found: dict[str, Tensor], log: dict[str, Tensor]) -> None:
        """Keeps means over the processes."""
        logged = {f"log {name}": value.detach() for name, value in log.items()}
        means = averaged({**found, **logged})
        self.gradients = {name: means[name] for name in found}
        self.log |= {name: means[f"log {name}"] for name in log}


def _trainable(module: nn.Module) -> dict[str, Tensor]:
    return {name: param for name, param in module.named_parameters() if param.requires_grad}


def weight_statistics(weights: Tensor, order: Tensor | None) -> dict[str, Tensor]:
    """Mean weight of each source and the weights' entropy.

    Args:
        weights: of shape (B, n, H, W), summing to 1 over the sources.
        order: of shape (B, n): which original source stood where, or ``None``.

    Returns:
        ``weight_0`` ... for the original sources, and ``entropy``, averaged over pixels and divided
        by log n: 1 for uniform weights, 0 when each pixel has one source.
    """
    means = own_order(weights.mean((-2, -1)), order)
    entropy = -torch.special.xlogy(weights, weights).sum(1).mean() / math.log(weights.shape[1])
    return {**{f"weight_{k}": mean for k, mean in enumerate(means.mean(0))}, "entropy": entropy}
