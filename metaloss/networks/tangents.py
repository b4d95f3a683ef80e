"""Operators that forward mode carries through with less memory traffic than torch's own rules."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.autograd.forward_ad as fwd
import torch.nn.functional as F
from torch import Tensor

Operator = Callable[[Tensor, Tensor], Tensor]


# out += operator(a, b), where one kernel does it
_ADD: dict[Operator, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    torch.mul: Tensor.addcmul_,
    torch.bmm: Tensor.baddbmm_,
}


def carries_tangents(*tensors: Tensor) -> bool:
    """Whether tensors may carry tangents and record no graph: where a rule of one's own may take over.

    With grad mode off tangents may have to stop: that is left to torch's operators.
    """
    return fwd._current_level >= 0 and torch.is_grad_enabled() and not any(tensor.requires_grad for tensor in tensors)


def bilinear(operator: Operator, a: Tensor, b: Tensor) -> Tensor:
    """Applies an operator that is linear in each input; a directional derivative takes less memory traffic.

    Where tangents are carried and no graph is recorded, both parts of ``op(da, b) + op(a, db)`` go
    into one tensor; torch's own rule makes three.

    Args:
        operator: a product, a convolution, a matrix product ...; its result is a new tensor.
        a: its first input.
        b: its second.

    Returns:
        What ``operator(a, b)`` returns, with the same tangent.
    """
    if not carries_tangents(a, b):
        return operator(a, b)
    (a, da), (b, db) = fwd.unpack_dual(a), fwd.unpack_dual(b)
    value = operator(a, b)
    if da is None and db is None:
        return value
    if da is None:
        tangent = operator(a, db)
    else:
        tangent = operator(da, b)
        if db is not None:
            # autocast chooses dtypes for operators that make a new tensor
            add = None if torch.is_autocast_enabled(a.device.type) else _ADD.get(operator)
            tangent = tangent.add_(operator(a, db)) if add is None else add(tangent, a, db)
    carrying: Tensor = fwd.make_dual(value, tangent)
    return carrying


def sum_of_squares(x: Tensor) -> Tensor:
    """Squares and sums over the last dimension; torch's rule for a square makes two tensors more.

    Args:
        x: of shape (..., N).

    Returns:
        Of shape (...), with the tangent ``2 <x, dx>``.
    """
    value, tangent = fwd.unpack_dual(x) if carries_tangents(x) else (x, None)
    if tangent is None:
        return x.square().sum(-1)
    carrying: Tensor = fwd.make_dual(value.square().sum(-1), (value * tangent).sum(-1).mul_(2))
    return carrying


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Layer norm over the last dimension; a directional derivative takes one pass, where torch's rule takes ten.

    The normalisation's Jacobian is symmetric: its product with a tangent is its backward pass.

    Args:
        x: of shape (..., C).
        weight: of shape (C,).
        bias: of shape (C,).
        eps: added to the variance.

    Returns:
        What ``torch.nn.functional.layer_norm`` returns, with the same tangent.
    """
    shape = list(weight.shape)
    values, tangents = (
        zip(*map(fwd.unpack_dual, (x, weight, bias)), strict=True)
        if carries_tangents(x, weight, bias)
        else ((), (None,))
    )
    if any(tangent is None for tangent in tangents):
        return F.layer_norm(x, shape, weight, bias, eps)
    (x, weight, bias), (dx, dweight, dbias) = values, tangents
    unit, mean, deviation = torch.native_layer_norm(x, shape, None, None, eps)
    tangent, _, _ = torch.ops.aten.native_layer_norm_backward(
        dx, x, shape, mean, deviation, None, None, [True, False, False]
    )
    carrying: Tensor = fwd.make_dual(
        torch.addcmul(bias, unit, weight), tangent.mul_(weight).addcmul_(unit, dweight).add_(dbias)
    )
    return carrying
