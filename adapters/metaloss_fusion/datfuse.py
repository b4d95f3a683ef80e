"""DATFuse (Tang et al., IEEE TCSVT 2023)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metaloss_fusion.layers import TwoSources, convolved, laid_out, named, start_at
from metaloss_fusion.tokens import TokenBlocks, uncalled_embedding

WIDTH, NARROW = 16, 4


class DATFuse(TwoSources):
    """Dual attention, a transformer, and the same dual attention again, on both sources (10,760 parameters).

    Dual attention multiplies features by one factor per channel and one per pixel, and adds both. One convolution and
    one batch norm are used four times. The last layer is a tanh whose output is the image as it is, so it may be
    negative.
    """

    def __init__(self) -> None:
        super().__init__()
        self.convolutional = _layer(2, 5)
        self.convolutional_out = named(conv=start_at(nn.Conv2d(WIDTH, 1, 1), math.atanh(0.5)))
        self.fem = _layer(WIDTH, 3)
        self.cam = named(fc=nn.Sequential(nn.Conv2d(WIDTH, NARROW, 1), nn.ReLU(), nn.Conv2d(NARROW, WIDTH, 1)))
        pixels = (nn.Conv2d(WIDTH, NARROW, 3), nn.BatchNorm2d(NARROW), nn.ReLU(), nn.Conv2d(NARROW, 1, 3))
        self.sam = named(body=nn.Sequential(*pixels, nn.BatchNorm2d(1)))
        self.patch_embed = uncalled_embedding()
        self.basicLayer = TokenBlocks(WIDTH)

    def fused(self, ir: Tensor, vi: Tensor) -> Tensor:
        """Fuses two images of shape (B, 1, H, W)."""
        x = F.relu(self._convolved(laid_out(torch.cat((ir, vi), 1)), self.convolutional), inplace=True)
        features = self._features(x)
        x = F.relu(torch.addcmul(x, features, self._factors(features)), inplace=True)
        features = self._features(self.basicLayer(x))
        x = torch.addcmul(features, features, self._factors(features))
        return convolved(x, self.convolutional_out["conv"]).tanh()

    def _features(self, x: Tensor) -> Tensor:
        return self._convolved(F.relu(self._convolved(x, self.fem), inplace=True), self.fem)

    def _factors(self, x: Tensor) -> Tensor:
        """The sum of a factor for each channel and one for each pixel, each in (0, 1)."""
        per_channel = self.cam["fc"](x.mean((2, 3), keepdim=True)).sigmoid()
        first, first_norm, rectify, second, second_norm = self.sam["body"]
        per_pixel = convolved(rectify(convolved(x, first, first_norm)), second, second_norm).sigmoid()
        return per_channel + per_pixel

    def _convolved(self, x: Tensor, layer: nn.ModuleDict) -> Tensor:
        return convolved(x, layer["conv"], layer["bn"], border="replicate")


def _layer(inputs: int, size: int) -> nn.ModuleDict:
    return named(conv=nn.Conv2d(inputs, WIDTH, size), bn=nn.BatchNorm2d(WIDTH))
