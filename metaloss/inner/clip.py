"""Gradient clipping inside an inner update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from metaloss.inner.real_parts import as_real
from metaloss.inner.sgd import Rule


def clipped(rule: Rule, max_norm: float) -> Rule:
    """Scales the gradient to a norm of at most ``max_norm`` over all parameters, then applies a rule.

    The scaling is part of the update: the meta-gradient goes through it.

    Args:
        rule: any inner rule.
        max_norm: more than 0.

    Returns:
        The clipped rule, with the state of the given one.
    """

    def clipping(
        params: Mapping[str, Tensor], grads: Mapping[str, Tensor], state: Any
    ) -> tuple[dict[str, Tensor], Any]:
        if not grads:  # a frozen network
            return rule(params, grads, state)
        squares = [as_real(grad).square().sum() for grad in grads.values()]
        square = torch.stack([value.to(squares[0]) for value in squares]).sum()
        # the root only where it acts: at a zero gradient its slope is infinite
        above = square > max_norm**2
        norm = torch.where(above, square, torch.ones_like(square)).sqrt()
        factor = torch.where(above, max_norm / norm, torch.ones_like(norm))
        return rule(params, {name: grad * factor.to(grad) for name, grad in grads.items()}, state)

    return clipping
