"""Plain gradient descent, the inner update of the papers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor


def sgd(lr: float) -> Callable[[Mapping[str, Tensor], Mapping[str, Tensor], Any], tuple[dict[str, Tensor], Any]]:
    """Builds ``theta' = theta - lr * g`` (TDFusion Eq. 4 and 5).

    Args:
        lr: the inner learning rate, at least 0.

    Returns:
        A pure rule ``(params, grads, state) -> (params, state)``; the state stays ``None``.
    """

    def rule(params: Mapping[str, Tensor], grads: Mapping[str, Tensor], state: Any) -> tuple[dict[str, Tensor], Any]:
        return {name: param - lr * grads[name] for name, param in params.items()}, state

    return rule
