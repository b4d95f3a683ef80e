"""Averages over the processes of ``torch.distributed``; with one process, nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

if dist.is_available():
    # Imported after a process group exists, as torch's compiler does, its default arguments keep that group and gloo's
    # threads beyond `destroy_process_group`; a thread that still holds a tensor when Python ends aborts the process.
    import torch.distributed.nn.functional


def world_size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this process among them, from 0; process 0 logs and saves."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def averaged(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Averages tensors over all processes, which hold the same names and shapes.

    ``DistributedDataParallel`` averages what ``backward`` leaves in ``.grad``, and nothing that
    ``torch.autograd.grad`` returns: a meta-gradient has to be averaged explicitly.

    Args:
        tensors: by name; left as they are.

    Returns:
        The means, by name; with one process the very same tensors.
    """
    world = world_size()
    if world == 1:
        return dict(tensors)
    means: dict[str, Tensor] = {}
    for names in _alike(tensors):
        flat = torch.cat([tensors[name].detach().reshape(-1) for name in names]) / world
        dist.all_reduce(torch.view_as_real(flat) if flat.is_complex() else flat)
        parts = flat.split([tensors[name].numel() for name in names])
        means.update({name: part.view_as(tensors[name]) for name, part in zip(names, parts, strict=True)})
    return {name: means[name] for name in tensors}


def largest_of_all(value: Tensor) -> Tensor:
    """The largest of a number over all processes, so that all of them decide alike.

    Args:
        value: 0-d; left as it is.
    """
    if world_size() == 1:
        return value
    largest = value.detach().clone()
    dist.all_reduce(largest, dist.ReduceOp.MAX)
    return largest


def take_from_first(tensors: Iterable[Tensor]) -> None:
    """Gives every process the values that process 0 has, in place.

    Args:
        tensors: the same shapes in the same order everywhere.
    """
    if world_size() == 1:
        return
    with torch.no_grad():
        for tensor in tensors:
            values = tensor.detach().contiguous()
            dist.broadcast(values, 0)
            tensor.copy_(values)


def gathered(value: Any) -> list[Any]:
    """What every process has, in the order of their ranks; any picklable value."""
    if world_size() == 1:
        return [value]
    values: list[Any] = [None] * world_size()
    dist.all_gather_object(values, value)
    return values


def average_buffers(module: nn.Module) -> None:
    """Averages a module's floating-point buffers over all processes, in place.

    Each process has seen its own share of the data: running statistics differ until this is done.
    """
    buffers = {
        name: buffer for name, buffer in module.named_buffers() if buffer.is_floating_point() or buffer.is_complex()
    }
    for name, mean in averaged(buffers).items():
        if mean is not buffers[name]:
            buffers[name].copy_(mean)


def averaged_where_present(tensors: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Averages tensors that some processes may lack, which then count as zero.

    Args:
        tensors: some of the names of ``like``.
        like: every name that a process may have, with its shape.

    Returns:
        The means of the names that at least one process has.
    """
    if world_size() == 1:
        return dict(tensors)
    filled = {name: tensors[name] if name in tensors else torch.zeros_like(value) for name, value in like.items()}
    first = next(iter(like.values()))
    means = averaged({**filled, "present?": first.new_tensor([float(name in tensors) for name in like])})
    return {name: means[name] for name, share in zip(like, means["present?"].tolist(), strict=True) if share > 0}


def _alike(tensors: Mapping[str, Tensor]) -> Iterable[list[str]]:
    """The names in groups of one dtype and device, in the order of the mapping."""
    groups: dict[tuple[torch.dtype, torch.device], list[str]] = {}
    for name, tensor in tensors.items():
        groups.setdefault((tensor.dtype, tensor.device), []).append(name)
    return groups.values()
