"""Any ``nn.Module`` and a loss function, as a task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from metaloss.modes import evaluating
from metaloss.tasks.base import TaskAdapter


class ModuleTask(TaskAdapter):
    """A task network and the loss of its output.

    Args:
        module: fused (B, C, H, W) -> output.
        loss_fn: (output, target) -> scalar mean loss, or a dict of named losses.
    """

    def __init__(self, module: nn.Module, loss_fn: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.module = module
        self.loss_fn = loss_fn

    def forward(self, fused: Tensor, target: Any) -> Any:
        """Returns ``loss_fn(module(fused), target)``."""
        return self.loss_fn(self.module(fused), target)

    def predict(self, fused: Tensor) -> Any:
        """Returns the module's output, without gradient and in evaluation mode."""
        with evaluating(self.module), torch.no_grad():
            return self.module(fused)
