"""Gradient descent with momentum, as ``torch.optim.SGD`` does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from metaloss.inner.sgd import Rate, Rule, rate_of


def sgd_momentum(lr: Rate, *, momentum: float = 0.9) -> Rule:
    """Builds ``b' = momentum * b + g; theta' = theta - lr * b'``, where b starts as g.

    Args:
        lr: the inner learning rate, one number or one by parameter name.
        momentum: how much of the last update is kept, at least 0.

    Returns:
        A pure rule ``(params, grads, state) -> (params, state)``; the state is ``{"momentum_buffer": b}``.
    """

    def rule(params: Mapping[str, Tensor], grads: Mapping[str, Tensor], state: Any) -> tuple[dict[str, Tensor], Any]:
        before = (state or {}).get("momentum_buffer", {})
        buffers = {name: momentum * before[name] + grad if name in before else grad for name, grad in grads.items()}
        updated = {name: param - rate_of(lr, name) * buffers[name] for name, param in params.items()}
        return updated, {"momentum_buffer": buffers}

    return rule
