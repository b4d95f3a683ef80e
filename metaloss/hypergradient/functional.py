"""Modules as functions of their tensors, gradients by name, and inner products of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from metaloss.inner.real_parts import as_real


@contextmanager
def swapped(module: nn.Module, params: Mapping[str, Tensor], buffers: dict[str, Tensor]) -> Iterator[nn.Module]:
    """Puts other tensors in the place of the module's own while the block runs.

    Take gradients inside the block: activation checkpointing in the module then recomputes with the
    right weights. What a module holds under several names gets one tensor
    (``torch.func.functional_call`` leaves a child that is registered twice with the wrong weights).

    Args:
        module: any module.
        params: every parameter by name; a missing one is an error, never silently the module's own.
        buffers: every buffer by name; in-place changes go to these tensors, and a buffer that the
            module assigned anew takes its place here.

    Yields:
        The module.

    Raises:
        KeyError: the names are not those of the module.
    """
    names = {tensor: name for name, tensor in (*module.named_parameters(), *module.named_buffers())}
    tensors = {**params, **buffers}
    if tensors.keys() != set(names.values()):
        unexpected = sorted(tensors.keys() ^ set(names.values()))
        raise KeyError(f"{type(module).__name__} must be given all of its own tensors and no others: {unexpected}")
    stores: list[dict[str, Any]] = [
        store for child in module.modules() for store in (child._parameters, child._buffers)
    ]
    before = [dict(store) for store in stores]
    places = [(store, key, names[own]) for store in stores for key, own in store.items() if own is not None]
    try:
        for store, key, name in places:
            store[key] = tensors[name]
        yield module
        buffers.update({name: store[key] for store, key, name in places if name in buffers and key in store})
    finally:
        for store, own_tensors in zip(stores, before, strict=True):
            store.clear()
            store.update(own_tensors)


def assign_buffers(module: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Lets the module hold these buffers by name, as if it had assigned them itself."""
    names = {buffer: name for name, buffer in module.named_buffers()}
    for part in module.modules():
        part._buffers.update({key: values[names[own]] for key, own in part._buffers.items() if own is not None})


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
    cotangent: Tensor | None = None,
    *,
    create_graph: bool = False,
    scale: float = 1.0,
) -> dict[str, Tensor]:
    """Computes a VJP by name, zero where the output does not depend on an input.

    Args:
        output: what is differentiated.
        inputs: by what.
        cotangent: of the output; ``None`` for a number.
        create_graph: whether the gradients can be differentiated again.
        scale: a factor that the gradients have on their way only, for half precision.

    Returns:
        The gradients, detached unless their graph was asked for.
    """
    if not inputs or not output.requires_grad:
        return {name: torch.zeros_like(value) for name, value in inputs.items()}
    if scale != 1:
        cotangent = torch.full_like(output, scale) if cotangent is None else cotangent * scale
    values = torch.autograd.grad(
        output, tuple(inputs.values()), cotangent, create_graph=create_graph, allow_unused=True, materialize_grads=True
    )
    values = values if scale == 1 else tuple(value / scale for value in values)
    return dict(zip(inputs, values, strict=True))


def add_to(total: dict[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Adds tensors to a sum by name, in which some names may still be missing."""
    for name, value in values.items():
        total[name] = total[name] + value if name in total else value


def is_differentiable(item: Any) -> bool:
    """Whether something is a tensor that derivatives can be taken by: of real or complex numbers."""
    return isinstance(item, Tensor) and (item.is_floating_point() or item.is_complex())


def inner_product(first: Iterable[Tensor], second: Iterable[Tensor]) -> Tensor:
    """The real inner product ``Re <a, b>`` of two lists of tensors, 0-d, in at least single precision."""
    products = [
        (_wide(as_real(a.detach())) * _wide(as_real(b.detach()))).sum() for a, b in zip(first, second, strict=True)
    ]
    return torch.stack([product.to(products[0]) for product in products]).sum()


def norm(tensors: Iterable[Tensor]) -> Tensor:
    """The Euclidean norm over all entries of some tensors, real and 0-d."""
    norms = [torch.linalg.vector_norm(_wide(as_real(tensor.detach()))) for tensor in tensors]
    value: Tensor = torch.linalg.vector_norm(torch.stack([each.to(norms[0]) for each in norms]))
    return value


def _wide(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


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
