"""Plain gradient descent, the inner update of the papers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from torch import Tensor

Rate: TypeAlias = float | Mapping[str, float]
Rule: TypeAlias = Callable[[Mapping[str, Tensor], Mapping[str, Tensor], Any], tuple[dict[str, Tensor], Any]]


def sgd(lr: Rate) -> Rule:
    """Builds ``theta' = theta - lr * g`` (TDFusion Eq. 4 and 5).

    Args:
        lr: the inner learning rate, at least 0, one number or one by parameter name.

    Returns:
        A pure rule ``(params, grads, state) -> (params, state)``; the state stays ``None``.
    """

    def rule(params: Mapping[str, Tensor], grads: Mapping[str, Tensor], state: Any) -> tuple[dict[str, Tensor], Any]:
        return {name: param - rate_of(lr, name) * grads[name] for name, param in params.items()}, state

    return rule


def rate_of(lr: Rate, name: str) -> float:
    """The learning rate of one parameter."""
    return lr[name] if isinstance(lr, Mapping) else lr
