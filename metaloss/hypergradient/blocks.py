"""Activation checkpointing block by block, for any network, and through forward mode as well.

``torch.utils.checkpoint`` computes a block's activations again in the backward pass; under forward
mode it would keep all their tangents. There, a block is one operator of our own, whose backward runs
the block's dual numbers again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.autograd.forward_ad as fwd
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils.checkpoint import checkpoint

from metaloss.errors import MetaGradientError
from metaloss.hypergradient.functional import assign_buffers, clones, graph_nodes, is_differentiable, swapped
from metaloss.hypergradient.random_state import RandomState, own_generators
from metaloss.hypergradient.training_gradients import TrainingGradients

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def find_blocks(module: nn.Module) -> list[nn.Module]:
    """The parts of a network to compute again, none inside another.

    The elements of sequences and lists are blocks, where they have parts themselves, and so is a part
    without such elements.

    Args:
        module: any network.

    Returns:
        The blocks in the order of registration; empty for a network of single layers.
    """
    return [block for child in module.children() for block in _blocks_at(child, isinstance(module, _CONTAINERS))]


def _blocks_at(module: nn.Module, element: bool) -> list[nn.Module]:
    if not any(True for _ in module.children()):
        return []
    inner = find_blocks(module)
    if isinstance(module, _CONTAINERS):
        whole = isinstance(module, nn.Sequential) and not inner
        return [module] if whole else inner
    called = type(module).forward is not nn.Module.forward
    return [module] if called and (element or not inner) else inner


@contextmanager
def blockwise(module: nn.Module) -> Iterator[None]:
    """Lets the module's blocks keep their inputs only, in whatever is recorded inside the context."""
    blocks = find_blocks(module)
    own = [block.__dict__.get("forward") for block in blocks]
    try:
        for block in blocks:
            object.__setattr__(block, "forward", partial(_run, block, block.forward))
        yield
    finally:
        for block, forward in zip(blocks, own, strict=True):
            if forward is not None:
                object.__setattr__(block, "forward", forward)
            else:
                block.__dict__.pop("forward", None)


def _run(block: nn.Module, forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    if not torch.is_grad_enabled() or not _records(block, args, kwargs):
        return forward(*args, **kwargs)
    buffers = clones(dict(block.named_buffers()))
    if fwd._current_level >= 0:
        return _run_dual(block, forward, buffers, args, kwargs)

    def contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
        return nullcontext(), _Buffers(block, buffers)

    return checkpoint(forward, *args, use_reentrant=False, context_fn=contexts, **kwargs)


def _records(block: nn.Module, args: Any, kwargs: Any) -> bool:
    tensors = [item for item in pytree.tree_leaves((args, kwargs)) if isinstance(item, Tensor)]
    return any(tensor.requires_grad for tensor in (*tensors, *block.parameters()))


class _Buffers:
    """Runs a block again on the buffers it had the first time, and leaves them as they are by now."""

    def __init__(self, block: nn.Module, values: dict[str, Tensor]) -> None:
        self.block, self.values = block, values

    def __enter__(self) -> None:
        copies = clones(self.values)
        names = {buffer: name for name, buffer in self.block.named_buffers() if name in copies}
        self.before = [(child._buffers, dict(child._buffers)) for child in self.block.modules()]
        for store, held in self.before:
            store.update({key: copies[names[own]] for key, own in held.items() if own is not None and own in names})

    def __exit__(self, *_: object) -> None:
        for store, held in self.before:
            store.clear()
            store.update(held)


@dataclass(frozen=True)
class _Again:
    """What it takes to run a block again on dual numbers."""

    block: nn.Module
    forward: Callable[..., Any]
    rebuild: Callable[[list[Any]], tuple[Any, Any]]
    names: tuple[str, ...]
    pairs: list[tuple[Tensor, Tensor | None]]
    buffers: dict[str, Tensor]
    random: RandomState
    autocast: Callable[[], AbstractContextManager[Any]]

    def __call__(self) -> tuple[list[Tensor], list[Tensor]]:
        """Returns new leaves for inputs and parameters, and the outputs computed from them."""
        leaves = [value.detach().requires_grad_() for value, _ in self.pairs]
        with self.random.replayed(), self.autocast(), TrainingGradients():
            output = self.run(leaves, clones(self.buffers))
        outputs = [item for item in pytree.tree_leaves(output) if is_differentiable(item)]
        _check_closed(outputs, leaves, self.block)
        return leaves, outputs

    def run(self, values: list[Tensor], buffers: dict[str, Tensor]) -> Any:
        """Runs the block on these values, with the tangents that it was given."""
        duals = [
            value if tangent is None else fwd.make_dual(value, tangent)
            for value, (_, tangent) in zip(values, self.pairs, strict=True)
        ]
        count = len(duals) - len(self.names)
        args, kwargs = self.rebuild(duals[:count])
        params = dict(zip(self.names, duals[count:], strict=True))
        fixed = {name: value for name, value in self.block.named_parameters() if name not in params}
        with swapped(self.block, {**params, **fixed}, buffers):
            return self.forward(*args, **kwargs)


class _DualBlock(torch.autograd.Function):
    """A block of dual numbers as one operator: its outputs are known, its backward runs it again."""

    @staticmethod
    def forward(ctx: Any, again: _Again, outputs: list[tuple[Tensor, Tensor]], *inputs: Tensor) -> tuple[Tensor, ...]:
        ctx.again, ctx.tangents = again, tuple(tangent for _, tangent in outputs)
        return tuple(value.view_as(value) for value, _ in outputs)

    @staticmethod
    def jvp(ctx: Any, *_: Any) -> tuple[Tensor, ...]:
        return ctx.tangents  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Any, ...]:
        create_graph = torch.is_grad_enabled()
        with torch.enable_grad():
            leaves, outputs = ctx.again()
            pairs = [pair for pair in zip(outputs, cotangents, strict=True) if pair[0].requires_grad]
            grads = torch.autograd.grad(
                [output for output, _ in pairs],
                leaves,
                [cotangent for _, cotangent in pairs],
                allow_unused=True,
                create_graph=create_graph,
            )
        return None, None, *grads


def _run_dual(block: nn.Module, forward: Callable[..., Any], buffers: dict[str, Tensor], args: Any, kwargs: Any) -> Any:
    flat, spec = pytree.tree_flatten((args, kwargs))
    places = [place for place, item in enumerate(flat) if is_differentiable(item)]
    params = {name: param for name, param in block.named_parameters() if param.requires_grad}
    inputs = [*(flat[place] for place in places), *params.values()]

    def rebuild(values: list[Any]) -> tuple[Any, Any]:
        items = list(flat)
        for place, value in zip(places, values, strict=True):
            items[place] = value
        return pytree.tree_unflatten(items, spec)  # type: ignore[no-any-return]

    pairs = [_unpack(item) for item in inputs]
    random = RandomState.now(own_generators(block))
    again = _Again(block, forward, rebuild, tuple(params), pairs, buffers, random, _here())
    # of values that need no gradient nothing is recorded; what the block does to its buffers, it does to its own
    own = dict(block.named_buffers())
    output = again.run([value for value, _ in pairs], own)
    assign_buffers(block, own)
    given, out_spec = pytree.tree_flatten(output)
    pairs = [_unpack(item) for item in given if is_differentiable(item)]
    known = [(value, torch.zeros_like(value) if tangent is None else tangent) for value, tangent in pairs]
    results = iter(_DualBlock.apply(again, known, *inputs))  # type: ignore[no-untyped-call]
    return pytree.tree_unflatten([next(results) if is_differentiable(item) else item for item in given], out_spec)


def _unpack(dual: Tensor) -> tuple[Tensor, Tensor | None]:
    value, tangent = fwd.unpack_dual(dual)
    return value.detach(), None if tangent is None else tangent.detach()


def _here() -> Callable[[], AbstractContextManager[Any]]:
    """The autocast context of this moment, to be entered again."""
    for device in ("cuda", "cpu"):
        if torch.is_autocast_enabled(device):
            return partial(torch.autocast, device, dtype=torch.get_autocast_dtype(device), cache_enabled=False)
    return nullcontext


def _check_closed(outputs: list[Tensor], leaves: list[Tensor], block: nn.Module) -> None:
    """Refuses a block that reads tensors that are neither its inputs nor its own: they would get no gradient."""
    known = {id(leaf) for leaf in leaves}
    for node in graph_nodes(outputs):
        if hasattr(node, "variable") and id(node.variable) not in known:
            raise MetaGradientError(
                f'memory="low" with several inner steps: {type(block).__name__} uses a trainable tensor that is '
                'neither its input nor its own parameter; take memory="normal"'
            )
