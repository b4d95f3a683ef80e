"""A loss generator as one would first write it, to compare with."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PlainGenerator(nn.Module):
    """Convolutions over the sources' pixels as they are, 15x15 around each, and compared with nothing.

    Args:
        sources: n.
        width: channels.
    """

    def __init__(self, sources: int = 2, width: int = 16) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, dilation in ((sources, 1), (width, 2), (width, 4)):
            layers += [nn.Conv2d(before, width, 3, padding=dilation, dilation=dilation), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, sources, 1))

    def forward(self, *sources: Tensor) -> Tensor:
        """Maps n images (B, 1, H, W) to weights (B, n, H, W) that sum to 1 over the sources."""
        logits: Tensor = self.layers(torch.cat(sources, dim=1))
        return logits.softmax(dim=1)
