"""U2Fusion (Xu et al., IEEE TPAMI 2022)."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metaloss_fusion.layers import TwoSources, convolved, laid_out, named, start_at

GROWTH, LAYERS = 44, 5
SLOPE = 0.2  # of the leaky ReLU behind every convolution but the last


class U2Fusion(TwoSources):
    """A DenseNet of both sources, and four convolutions that narrow it to the image (659,217 parameters).

    Args:
        symmetric: give the sources in [-1, 1] and bring the tanh at the end from there into [0, 1], as the scripts of
            the repository of the weights do. Otherwise sources and image are in [0, 1] inside as well; the images
            differ a lot.
    """

    def __init__(self, *, symmetric: bool = False) -> None:
        super().__init__()
        self.symmetric = symmetric
        widths = (GROWTH * (LAYERS + 1), 128, 64, 32)
        self.conv_1 = _layer(2, GROWTH)
        self.dense_layers = nn.ModuleList(named(conv=_layer(GROWTH * n, GROWTH)) for n in range(1, LAYERS + 1))
        narrowing = [_layer(inputs, outputs) for inputs, outputs in pairwise(widths)]
        last = start_at(nn.Conv2d(32, 1, 3), 0.0 if symmetric else math.atanh(0.5))
        self.sub = nn.ModuleList([*narrowing, last])

    def fused(self, ir: Tensor, vi: Tensor) -> Tensor:
        """Fuses two images of shape (B, 1, H, W)."""
        sources = laid_out(torch.cat((ir, vi), 1))
        features = [_leaky(2 * sources - 1 if self.symmetric else sources, self.conv_1)]
        for layer in self.dense_layers:
            features.append(_leaky(torch.cat(features, 1), layer["conv"]))
        x = torch.cat(features, 1)
        for layer in self.sub[:-1]:
            x = _leaky(x, layer)
        fused = convolved(x, self.sub[-1]).tanh()
        return fused / 2 + 0.5 if self.symmetric else fused


def _layer(inputs: int, outputs: int) -> nn.ModuleList:
    return nn.ModuleList([nn.Conv2d(inputs, outputs, 3)])


def _leaky(x: Tensor, layer: nn.ModuleList) -> Tensor:
    return F.leaky_relu(convolved(x, layer[0]), SLOPE, inplace=True)
