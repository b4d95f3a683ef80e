"""TarDAL (Liu et al., CVPR 2022): its generator, which is what fuses."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metaloss_fusion.layers import TwoSources, convolved, laid_out, start_at

WIDTH, DEPTH = 32, 3


class TarDAL(TwoSources):
    """A dense block of both sources, and four convolutions that narrow it to the image (296,577 parameters).

    Ends in tanh, which is brought from [-1, 1] into [0, 1]. The discriminators of the paper's training are no part of
    it.

    Args:
        halved: ``False`` takes the tanh itself for the image, as its authors train and fuse; from the published weights
            it is nearly all of it in [0, 1].
    """

    def __init__(self, *, halved: bool = True) -> None:
        super().__init__()
        self.halved = halved
        self.encoder = _layer(2, WIDTH)
        self.dense = nn.ModuleList(_layer(WIDTH * n, WIDTH) for n in range(1, DEPTH + 1))
        last = nn.Conv2d(WIDTH, 1, 3)
        if not halved:
            start_at(last, math.atanh(0.5))
        self.fuse = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(WIDTH * (DEPTH + 1), 4 * WIDTH, 3)),
                _layer(4 * WIDTH, 2 * WIDTH),
                _layer(2 * WIDTH, WIDTH),
                nn.Sequential(last),
            ]
        )

    def fused(self, ir: Tensor, vi: Tensor) -> Tensor:
        """Fuses two images of shape (B, 1, H, W)."""
        features = [_rectified(laid_out(torch.cat((ir, vi), 1)), self.encoder)]
        for layer in self.dense:
            features.append(_rectified(torch.cat(features, 1), layer))
        x = torch.cat(features, 1)
        for layer in self.fuse[:-1]:
            x = _rectified(x, layer)
        image = convolved(x, *self.fuse[-1]).tanh()
        return image / 2 + 0.5 if self.halved else image


def _layer(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3), nn.BatchNorm2d(outputs))


def _rectified(x: Tensor, layer: nn.Sequential) -> Tensor:
    return F.relu(convolved(x, *layer), inplace=True)
