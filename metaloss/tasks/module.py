"""Any ``nn.Module`` and a loss function, as a task."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metaloss.data.labels import first_image
from metaloss.errors import DataError, ShapeError
from metaloss.runtime.modes import evaluating
from metaloss.tasks.base import TaskAdapter

_IGNORED = (255, -100)  # metaloss's id of no class, and cross_entropy's
_INDEXING = (F.cross_entropy, F.nll_loss)  # an id without a channel is an error of theirs, on a GPU one that ends CUDA
_LEFT_OUT = -100  # by them, unless told otherwise


class ModuleTask(TaskAdapter):
    """A task network and the loss of its output.

    Args:
        module: fused (B, C, H, W) -> output.
        loss_fn: (output, target) -> scalar mean loss, or a dict of named losses.

    Examples:
        >>> import torch
        >>> import metaloss
        >>> segmentation = torch.nn.Conv2d(1, 4, 3, padding=1)
        >>> task = metaloss.ModuleTask(segmentation, torch.nn.functional.cross_entropy)
        >>> task(torch.rand(2, 1, 16, 16), torch.zeros(2, 16, 16, dtype=torch.int64)).shape
        torch.Size([])
    """

    def __init__(self, module: nn.Module, loss_fn: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.module = module
        self.loss_fn = loss_fn

    def forward(self, fused: Tensor, target: Any) -> Any:
        """Returns ``loss_fn(module(fused), target)``.

        Raises:
            ShapeError: no target, or one of a form that torch's cross entropy does not take.
            DataError: class ids for which the output has no channel, where the loss function indexes with them: torch's
                cross entropy, before it does; any other, once it has failed.
        """
        output = self.module(fused)
        left_out = _left_out(self.loss_fn)
        if left_out is not None:
            _check_form(output, target)
        strange = None if left_out is None else _strange_ids(output, target, left_out)
        if strange is not None:
            raise DataError(strange)
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


def _left_out(loss_fn: Callable[..., Any]) -> int | None:
    """The id that a loss function leaves out which indexes with all others; ``None`` where it is not known to."""
    if type(loss_fn) in (nn.CrossEntropyLoss, nn.NLLLoss):
        return int(loss_fn.ignore_index)  # type: ignore[attr-defined]
    if isinstance(loss_fn, partial) and loss_fn.func in _INDEXING:
        return int(loss_fn.keywords.get("ignore_index", _LEFT_OUT))
    return _LEFT_OUT if loss_fn in _INDEXING else None


def _check_form(output: Any, target: Any) -> None:
    """Refuses what cross entropy does not take, and says what to write.

    Raises:
        ShapeError: the items have no target; or class ids of another type, or with a channel of their own.
    """
    if target is None:
        raise ShapeError("the items have no target, and the loss is one of class ids: give target=..., int64 (H, W)")
    if not isinstance(output, Tensor) or not isinstance(target, Tensor) or output.ndim < 2:
        return
    form, given = (len(output), *output.shape[2:]), f"target {tuple(target.shape)} {target.dtype}"
    expected = f"expected class ids {form}, int64, with an output {tuple(output.shape)}"
    if target.shape == (form[0], 1, *form[1:]) and target.shape != output.shape:
        raise ShapeError(f"{given}: {expected}; leave the channel out: squeeze(0) in the data set")
    if target.shape == form and target.dtype != torch.int64:
        raise ShapeError(f"{given}: {expected}; give target.long() in the data set")


def _strange_ids(output: Any, target: Any, left_out: int | None = None) -> str | None:
    """What is wrong with class ids (B, ...) of an output (B, K, ...) of logits; ``None`` where that is not it."""
    if not isinstance(output, Tensor) or not isinstance(target, Tensor) or output.ndim < 2:
        return None
    if target.shape != (len(output), *output.shape[2:]) or target.is_floating_point():
        return None
    channels = output.shape[1]
    wrong = (target < 0) | (target >= channels)
    if left_out is not None:
        wrong &= target != left_out
    if not wrong.any():
        return None
    named = wrong & ~torch.isin(target, target.new_tensor(_IGNORED))
    image, ids = first_image(target, named if named.any() else wrong)
    return (
        f"target of image {image} in the batch: class id {ids} with an output of {channels} channels, for the ids "
        f"0..{channels - 1}: correct the label, give the module's last layer a channel for every class, or have "
        "loss_fn leave the id out (cross_entropy's ignore_index)"
    )
