"""Adam as an inner update, with derivatives that are right where the gradient is zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from metaloss.inner.real_parts import as_real
from metaloss.inner.sgd import Rate, Rule, rate_of


def adam(lr: Rate, *, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8) -> Rule:
    """Builds Adam (Kingma and Ba, 2015, Algorithm 1), as ``torch.optim.Adam`` does it.

    From a fresh state the first step is ``theta - lr g / (|g| + eps)``: nearly the sign of the
    gradient, with a derivative of up to ``1 / eps`` where an entry of g vanishes. Start from the
    optimizer's state, or with a larger ``eps``, where that is too rough.

    Args:
        lr: the inner learning rate, one number or one by parameter name.
        betas: decay of the two moments.
        eps: added to the square root of the second moment.

    Returns:
        A pure rule ``(params, grads, state) -> (params, state)``; the state is ``{"step", "exp_avg",
        "exp_avg_sq"}``, each by parameter name.
    """

    def rule(params: Mapping[str, Tensor], grads: Mapping[str, Tensor], state: Any) -> tuple[dict[str, Tensor], Any]:
        after: dict[str, dict[str, Any]] = {"step": {}, "exp_avg": {}, "exp_avg_sq": {}}
        updated = {}
        for name, param in params.items():
            step, mean, square = _moments(grads[name], state, name, betas)
            root = _sqrt(square) / (1 - betas[1] ** step) ** 0.5
            change = rate_of(lr, name) / (1 - betas[0] ** step) * mean / (root + eps)
            updated[name] = param - _like(change, param)
            after["step"][name] = step
            after["exp_avg"][name], after["exp_avg_sq"][name] = _like(mean, param), _like(square, param)
        return updated, after

    return rule


def _moments(grad: Tensor, state: Any, name: str, betas: tuple[float, float]) -> tuple[int, Tensor, Tensor]:
    grad = as_real(grad)
    if not state or name not in state["step"]:
        return 1, (1 - betas[0]) * grad, (1 - betas[1]) * grad.square()
    mean = betas[0] * as_real(state["exp_avg"][name]) + (1 - betas[0]) * grad
    square = betas[1] * as_real(state["exp_avg_sq"][name]) + (1 - betas[1]) * grad.square()
    return state["step"][name] + 1, mean, square


def _like(parts: Tensor, param: Tensor) -> Tensor:
    """Complex again, where the parameter is: Adam scales real and imaginary part apart."""
    return torch.view_as_complex(parts) if param.is_complex() else parts


def _sqrt(square: Tensor) -> Tensor:
    # at zero the root's slope is infinite and its product with the gradient's, which is zero, NaN
    zero = square == 0
    return torch.where(zero, square, torch.where(zero, torch.ones_like(square), square).sqrt())
