"""Fusion networks with another calling form than ``(*sources) -> fused``."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Concatenated(nn.Module):
    """A network that takes the sources as one tensor, concatenated over the channels.

    Args:
        network: (B, n C, H, W) -> fused (B, C, H, W).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *sources: Tensor) -> Tensor:
        """Fuses n sources, each (B, C, H, W)."""
        fused: Tensor = self.network(torch.cat(sources, dim=1))
        return fused


class Adapted(nn.Module):
    """A network of any other calling form.

    Args:
        network: any module.
        call: ``(network, *sources) -> fused``: how it is called, and which of its results is the image.
    """

    def __init__(self, network: nn.Module, call: Callable[..., Tensor]) -> None:
        super().__init__()
        self.network = network
        self.call = call

    def forward(self, *sources: Tensor) -> Tensor:
        """Fuses n sources, each (B, C, H, W)."""
        return self.call(self.network, *sources)
