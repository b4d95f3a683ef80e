"""Forward mode that sees what a backward pass sees: where gradients stop in training, tangents stop as well."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
import torch.autograd.forward_ad as fwd
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle


class TrainingGradients(TorchFunctionMode):
    """Stops tangents inside ``torch.no_grad()``, which by itself stops gradients alone.

    Networks take statistics, ranges, guide maps and all but the last of their iterations under ``no_grad``. Run
    the dual pass with grad mode on, on tensors that need no gradient: nothing is recorded, and grad mode is off
    just where the network itself turned it off.
    """

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        """Runs one of torch's functions, without tangents where grad mode is off."""
        if func in _NEED_A_GRAPH and not args[0].requires_grad:
            return _NEED_A_GRAPH[func]()
        if torch.is_grad_enabled():
            return func(*args, **(kwargs or {}))
        with fwd._set_fwd_grad_enabled(False):
            return func(*args, **(kwargs or {}))


# what a network may ask of a tensor in training, and torch refuses where no graph is recorded
_NEED_A_GRAPH: dict[Any, Any] = {
    Tensor.register_hook: lambda: RemovableHandle(OrderedDict()),
    Tensor.retain_grad: lambda: None,
}
