"""Modules as functions of their parameters, and random numbers that can be drawn again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Result = TypeVar("Result")


def with_tensors(
    module: nn.Module, params: Mapping[str, Tensor], buffers: dict[str, Tensor], body: Callable[[nn.Module], Result]
) -> Result:
    """Runs ``body(module)`` with other tensors in the place of the module's own.

    Gradients are taken inside ``body``, while the tensors are still in place: activation
    checkpointing inside the module then recomputes with the right weights. What a module holds
    under several names gets one tensor (``torch.func.functional_call`` leaves a child that is
    registered twice with the wrong weights).

    Args:
        module: any module.
        params: every parameter by name; a missing one is an error, never silently the module's own.
        buffers: every buffer by name; in-place changes go to these tensors, and a buffer that the
            module assigned anew takes its place here.
        body: what to run.

    Returns:
        What ``body`` returned.

    Raises:
        KeyError: the names are not those of the module.
    """
    names = {tensor: name for name, tensor in (*module.named_parameters(), *module.named_buffers())}
    tensors = {**params, **buffers}
    if tensors.keys() != set(names.values()):
        strange = sorted(tensors.keys() ^ set(names.values()))
        raise KeyError(f"{type(module).__name__} must be given all of its own tensors and no others: {strange}")
    stores: list[dict[str, Any]] = [
        store for child in module.modules() for store in (child._parameters, child._buffers)
    ]
    before = [dict(store) for store in stores]
    places = [(store, key, names[own]) for store in stores for key, own in store.items() if own is not None]
    try:
        for store, key, name in places:
            store[key] = tensors[name]
        result = body(module)
        buffers.update({name: store[key] for store, key, name in places if name in buffers and key in store})
        return result
    finally:
        for store, held in zip(stores, before, strict=True):
            store.clear()
            store.update(held)


def trainable(module: nn.Module) -> dict[str, Tensor]:
    """The module's trainable parameters by name, detached; they share memory with the module's own."""
    return {name: param.detach() for name, param in module.named_parameters() if param.requires_grad}


def frozen(module: nn.Module) -> dict[str, Tensor]:
    """The module's parameters that do not learn, by name."""
    return {name: param.detach() for name, param in module.named_parameters() if not param.requires_grad}


def leaves(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same values as new leaves that record gradients."""
    return {name: tensor.detach().requires_grad_() for name, tensor in tensors.items()}


def cloned_buffers(module: nn.Module) -> dict[str, Tensor]:
    """Copies of the module's buffers by name."""
    return clones(dict(module.named_buffers()))


def clones(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of tensors by name."""
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def gradients(
    output: Tensor,
    inputs: Mapping[str, Tensor],
    slope: Tensor | None = None,
    *,
    create_graph: bool = False,
    scale: float = 1.0,
) -> dict[str, Tensor]:
    """First-order gradients by name, zero where the output does not depend on an input.

    Args:
        output: what is differentiated.
        inputs: by what.
        slope: the cotangent of the output; ``None`` for a number.
        create_graph: whether the gradients can be differentiated again.
        scale: a factor that the gradients have on their way only, for half precision.

    Returns:
        The gradients, detached unless their graph was asked for.
    """
    if not inputs or not output.requires_grad:
        return {name: torch.zeros_like(value) for name, value in inputs.items()}
    if scale != 1:
        slope = torch.full_like(output, scale) if slope is None else slope * scale
    values = torch.autograd.grad(
        output, tuple(inputs.values()), slope, create_graph=create_graph, allow_unused=True, materialize_grads=True
    )
    values = values if scale == 1 else tuple(value / scale for value in values)
    return dict(zip(inputs, values, strict=True))


def is_float(item: Any) -> bool:
    """Whether something is a tensor that derivatives can be taken by."""
    return isinstance(item, Tensor) and item.is_floating_point()


def graph_nodes(outputs: Iterable[Tensor]) -> Iterator[Any]:
    """Every node of the graph behind some tensors, each once."""
    waiting: list[Any] = [output.grad_fn for output in outputs]
    seen = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        waiting += [following for following, _ in node.next_functions]


def largest(tensors: Iterable[Tensor]) -> Tensor:
    """The largest absolute entry of all, 0-d, or 1 where all are zero: half precision would lose a short direction."""
    values = [tensor.abs().amax() for tensor in tensors]
    value = torch.stack([item.to(values[0]) for item in values]).amax()
    return torch.where(value > 0, value, torch.ones_like(value))


@dataclass(frozen=True)
class RandomState:
    """The state of the global random generators."""

    cpu: Tensor
    cuda: tuple[Tensor, ...]

    @staticmethod
    def now() -> RandomState:
        """Reads the current state of every generator in use."""
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else []
        return RandomState(torch.get_rng_state(), tuple(cuda))

    def restore(self) -> None:
        """Sets the generators to this state."""
        torch.set_rng_state(self.cpu)
        if self.cuda:
            torch.cuda.set_rng_state_all(list(self.cuda))

    @contextmanager
    def replayed(self) -> Iterator[None]:
        """Draws again from this state; the generators go on afterwards as if nothing had been drawn."""
        here = RandomState.now()
        self.restore()
        try:
            yield
        finally:
            here.restore()
