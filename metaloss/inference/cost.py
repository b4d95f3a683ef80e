"""What a fusion network costs: parameters, multiply-adds, and images per second."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from metaloss.inference.fuse import fuse_any_size

_REPEATS = 3


@dataclass(frozen=True)
class Cost:
    """The cost of one image.

    Attributes:
        parameters: of the network, those that do not learn as well.
        multiply_adds: of convolutions and matrix products, which is nearly all.
        images_per_second: on the network's device; the median of a few.
    """

    parameters: int
    multiply_adds: int
    images_per_second: float


def cost(network: nn.Module, sources: Sequence[Tensor]) -> Cost:
    """Measures a network on one pair.

    Args:
        network: in evaluation mode.
        sources: n tensors of shape (1, C, H, W), on its device.
    """
    fuse_any_size(network, sources)  # not counted: it may be the first of its size
    return Cost(
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        multiply_adds=multiply_adds(network, sources),
        images_per_second=1 / statistics.median(_seconds(network, sources) for _ in range(_REPEATS)),
    )


def multiply_adds(network: nn.Module, sources: Sequence[Tensor]) -> int:
    """Counts multiply-adds without computing anything, where the network can run without memory; else by running it.

    Args:
        network: it stays as it is.
        sources: n tensors of shape (1, C, H, W).
    """
    try:
        hollow = copy.deepcopy(network).to("meta")
        return _counted(hollow, [source.to("meta") for source in sources])
    except Exception:  # a network that looks at values, or makes tensors of its own
        return _counted(network, sources)


def _counted(network: nn.Module, sources: Sequence[Tensor]) -> int:
    """Of the last call: those before it were tries at sizes that the network does not take."""
    before: list[int] = []
    with FlopCounterMode(display=False) as counter:
        hook = network.register_forward_pre_hook(lambda *_: before.append(counter.get_total_flops()))
        try:
            fuse_any_size(network, sources)
        finally:
            hook.remove()
        operations: int = counter.get_total_flops() - before[-1]
    return operations // 2


def _seconds(network: nn.Module, sources: Sequence[Tensor]) -> float:
    _wait(sources[0])
    begin = time.perf_counter()
    fuse_any_size(network, sources)
    _wait(sources[0])
    return time.perf_counter() - begin


def _wait(on: Tensor) -> None:
    if on.device.type == "cuda":
        torch.cuda.synchronize(on.device)
