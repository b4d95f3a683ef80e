"""YDTR (Tang, He and Liu, IEEE TMM 2023)."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

from metaloss_fusion.layers import convolved, frozen, named, start_at
from metaloss_fusion.shared_encoder import SharedEncoder
from metaloss_fusion.tokens import TokenBlocks, uncalled_embedding

WIDTH, NARROW = 64, 8


class YDTR(SharedEncoder):
    """Two branches of shared weights, added, and the same transformer once more (217,770 parameters).

    A dynamic filter multiplies the features by one factor per channel and one per pixel, and adds both. Of the
    parameters 111,184 are in the published file only: two convolutions and a norm that are never called, and the
    bias of positions. The last layer is a tanh whose output is the image as it is, so it may be negative.

    Args:
        shared_encoder: ``False`` gives the visible image a branch of its own (``vi``; 324,307 parameters), and
            infrared's is also what runs behind the sum; see :class:`metaloss_fusion.shared_encoder.SharedEncoder`.
    """

    encoder = ("convInput", "DDF", "basicLayer")

    def __init__(self, *, shared_encoder: bool = True) -> None:
        super().__init__()
        self.convInput = _layer(1)
        self.conv64 = frozen(_layer(WIDTH))
        self.conv = frozen(_layer(2 * WIDTH))
        self.convolutional_out = named(conv=start_at(nn.Conv2d(WIDTH, 1, 1), math.atanh(0.5)))
        self.DDF = DynamicFilter()
        self.patch_embed = uncalled_embedding()
        self.basicLayer = TokenBlocks(WIDTH)
        self.share_encoder(shared_encoder)

    def fused(self, ir: Tensor, vi: Tensor) -> Tensor:
        """Fuses two images of shape (B, 1, H, W)."""
        of_ir, of_vi = self.encoders()
        both = _branch(ir, *of_ir) + _branch(vi, *of_vi)
        return convolved(self.basicLayer(self.DDF(both)), self.convolutional_out["conv"]).tanh()


def _branch(x: Tensor, *layers: nn.Module) -> Tensor:
    first, dynamic_filter, transformer = layers
    convolution, norm = first.children()
    # the published norm takes differences of numbers near 56: in the weights it would cost three bits more
    x = norm(convolved(x, convolution, border="replicate"))
    return transformer(dynamic_filter(F.relu(x, inplace=True)))


class DynamicFilter(nn.Module):
    """``x * channel_factor(x) + x * pixel_factor(x)``, of (B, 64, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        pixels = nn.ModuleList([nn.Conv2d(WIDTH, NARROW, 3), nn.Conv2d(NARROW, 1, 3)])
        channels = nn.Sequential(nn.Conv2d(WIDTH, NARROW, 1), nn.ReLU(), nn.Conv2d(NARROW, WIDTH, 1))
        self.spatial_branch = named(body=pixels)
        self.channel_branch = named(fc=channels)

    def forward(self, x: Tensor) -> Tensor:
        """Filters; shape in is shape out."""
        per_pixel = x
        for convolution in self.spatial_branch["body"]:
            per_pixel = convolved(per_pixel, convolution)
        per_channel = self.channel_branch["fc"](x.mean((2, 3), keepdim=True))
        return x * (per_channel + per_pixel)


def _layer(inputs: int) -> nn.ModuleDict:
    return named(conv=nn.Conv2d(inputs, WIDTH, 3), bn=nn.BatchNorm2d(WIDTH))
