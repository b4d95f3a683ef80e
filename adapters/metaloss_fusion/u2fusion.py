"""U2Fusion (Xu et al., IEEE TPAMI 2022)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from metaloss_fusion.layers import TwoSources, convolved, named
from torch import Tensor, nn

GROWTH, LAYERS = 44, 5
SLOPE = 0.2  # of the leaky ReLU behind every convolution but the last


class U2Fusion(TwoSources):
    """A DenseNet of both sources, and four convolutions that narrow it to the image (659,217 parameters).

    Images inside run from -1 to 1, and the last layer is a tanh: the network converts both ways itself.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (GROWTH * (LAYERS + 1), 128, 64, 32)
        self.conv_1 = _layer(2, GROWTH)
        self.dense_layers = nn.ModuleList(named(conv=_layer(GROWTH * n, GROWTH)) for n in range(1, LAYERS + 1))
        narrowing = [_layer(inputs, outputs) for inputs, outputs in zip(widths, widths[1:], strict=False)]
        self.sub = nn.ModuleList([*narrowing, nn.Conv2d(32, 1, 3)])

    def fused(self, ir: Tensor, vi: Tensor) -> Tensor:
        """Fuses two images of shape (B, 1, H, W)."""
        features = [_leaky(2 * torch.cat((ir, vi), 1) - 1, self.conv_1)]
        for layer in self.dense_layers:
            features.append(_leaky(torch.cat(features, 1), layer["conv"]))
        x = torch.cat(features, 1)
        for layer in self.sub[:-1]:
            x = _leaky(x, layer)
        return convolved(x, self.sub[-1]).tanh() / 2 + 0.5


def _layer(inputs: int, outputs: int) -> nn.ModuleList:
    return nn.ModuleList([nn.Conv2d(inputs, outputs, 3)])


def _leaky(x: Tensor, layer: nn.ModuleList) -> Tensor:
    return F.leaky_relu(convolved(x, layer[0]), SLOPE, inplace=True)
