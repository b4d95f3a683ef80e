"""Any ``nn.Module`` and a loss function, as a task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from metaloss.data.labels import first_image
from metaloss.errors import DataError
from metaloss.runtime.modes import evaluating
from metaloss.tasks.base import TaskAdapter

_IGNORED = (255, -100)  # metaloss's id of no class, and cross_entropy's


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
        """Returns ``loss_fn(module(fused), target)``.

        Raises:
            DataError: class ids for which the output has no channel, where the loss function indexes with them.
        """
        output = self.module(fused)
        try:
            return self.loss_fn(output, target)
        except IndexError as error:
            strange = _strange_ids(output, target)
            if strange is None:
                raise
            raise DataError(strange) from error

    def predict(self, fused: Tensor) -> Any:
        """Returns the module's output, without gradient and in evaluation mode."""
        with evaluating(self.module), torch.no_grad():
            return self.module(fused)


def _strange_ids(output: Any, target: Any) -> str | None:
    """What is wrong with class ids (B, ...) of an output (B, K, ...) of logits; ``None`` where that is not it."""
    if not isinstance(output, Tensor) or not isinstance(target, Tensor) or output.ndim < 2:
        return None
    if target.shape != (len(output), *output.shape[2:]) or target.is_floating_point():
        return None
    channels = output.shape[1]
    wrong = (target < 0) | (target >= channels)
    named = wrong & ~torch.isin(target, target.new_tensor(_IGNORED))
    wrong = named if named.any() else wrong
    if not wrong.any():
        return None
    image, ids = first_image(target, wrong)
    return (
        f"target of image {image} in the batch: class id {ids} with an output of {channels} channels, for the ids "
        f"0..{channels - 1}: correct the label, give the module's last layer a channel for every class, or have "
        "loss_fn leave the id out (cross_entropy's ignore_index)"
    )
