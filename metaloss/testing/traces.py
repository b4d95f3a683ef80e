"""What a call must leave as it was: weights, buffers, gradients, flags, random numbers, inputs."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from metaloss.runtime import files
from metaloss.testing.report import Failure


@contextmanager
def no_trace(module: nn.Module, *inputs: Any, random: bool = True, buffers: bool = True) -> Iterator[None]:
    """Fails when the code inside changed something.

    Args:
        module: what is called.
        inputs: what it is given: tensors, or nested values of tensors.
        random: whether drawing random numbers counts.
        buffers: whether buffers count; in training mode some networks keep running means.

    Raises:
        Failure: naming what has changed.
    """
    before, given = _held(module, buffers=buffers), copy.deepcopy([_detached(each) for each in inputs])
    generators, recording, dtype = torch.get_rng_state(), torch.is_grad_enabled(), torch.get_default_dtype()
    yield
    changed = [
        f"{what} of {name!r}"
        for what, values in _held(module, buffers=buffers).items()
        for name in sorted(values.keys() | before[what].keys())
        if not same(values.get(name), before[what].get(name))
    ]
    changed += ["an input, in place"] * (not same(given, [_detached(each) for each in inputs]))
    changed += ["the random numbers"] * (random and not torch.equal(generators, torch.get_rng_state()))
    changed += ["torch's grad mode"] * (recording != torch.is_grad_enabled())
    changed += ["torch's default dtype"] * (dtype != torch.get_default_dtype())
    if changed:
        raise Failure(f"changes {', '.join(changed[:3])}{f' and {len(changed) - 3} more' * (len(changed) > 3)}")


@contextmanager
def random_numbers_kept() -> Iterator[None]:
    """Gives all generators back as they were."""
    state = files.random_state()
    try:
        yield
    finally:
        files.restore_random_state(state)


@contextmanager
def in_float64() -> Iterator[None]:
    """Lets new tensors be float64, as some networks' own code makes new ones."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def same(first: Any, second: Any) -> bool:
    """Bit-for-bit equality of nested values."""
    a, b = pytree.tree_flatten(first), pytree.tree_flatten(second)
    if a[1] != b[1]:
        return False
    return all(
        x.dtype == y.dtype and torch.equal(x.nan_to_num(), y.nan_to_num())
        if isinstance(x, Tensor) and isinstance(y, Tensor)
        else x is y or bool(x == y)
        for x, y in zip(a[0], b[0], strict=True)
    )


def _held(module: nn.Module, *, buffers: bool) -> dict[str, dict[str, Any]]:
    held: dict[str, dict[str, Any]] = {
        "the parameter": {name: param.detach().clone() for name, param in module.named_parameters()},
        ".grad": {
            name: None if param.grad is None else param.grad.clone() for name, param in module.named_parameters()
        },
        "requires_grad": {name: param.requires_grad for name, param in module.named_parameters()},
        "the training flag": {name: child.training for name, child in module.named_modules()},
    }
    if buffers:
        held["the buffer"] = {name: buffer.detach().clone() for name, buffer in module.named_buffers()}
    return held


def _detached(value: Any) -> Any:
    return pytree.tree_map(lambda leaf: leaf.detach() if isinstance(leaf, Tensor) else leaf, value)
