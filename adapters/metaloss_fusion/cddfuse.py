"""CDDFuse (Zhao et al., CVPR 2023)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metaloss.networks.official import RESTORMER_NAMES, renamed
from metaloss.networks.restormer import (
    ChannelNorm,
    Pointwise,
    channel_attention,
    channels_last,
    conv3x3,
    depthwise,
    gated,
    restormer_blocks,
)
from metaloss_fusion.layers import TwoSources, padded

WIDTH, HEADS, BLOCKS = 64, 8, 4


class CDDFuse(TwoSources):
    """Restormer blocks, and behind them a base branch and an invertible detail branch (1,188,272 parameters).

    Base and detail of both sources are added, each passes through a fusion layer of its own, and the decoder adds
    its result to the visible image before a sigmoid. The authors train encoder and decoder alone in a first stage,
    to give each source again, and everything in a second one. Their test script stretches every image to its full
    range, which belongs to ``metaloss fuse --stretch minmax``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.base = BaseFeatures()
        self.detail = DetailFeatures(1)
        self.decoder = Decoder()

    def fused(self, ir: Tensor, vi: Tensor) -> Tensor:
        """Fuses two images of shape (B, 1, H, W)."""
        (base, detail), (other_base, other_detail) = self.encoder(vi), self.encoder(ir)
        return self.decoder(vi, self.base(base + other_base), self.detail(detail + other_detail))


class Encoder(nn.Module):
    """Takes an image (B, 1, H, W) apart into base and detail features, each (B, 64, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = conv3x3(1, WIDTH)
        self.blocks = restormer_blocks(WIDTH, BLOCKS)
        self.base = BaseFeatures()
        self.detail = DetailFeatures(3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Encodes."""
        features = self.blocks(self.embed(x))
        return self.base(features), self.detail(features)


class Decoder(nn.Module):
    """Puts base and detail features together, as a change of an image (B, 1, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.reduce = Pointwise(2 * WIDTH, WIDTH)
        self.blocks = restormer_blocks(WIDTH, BLOCKS)
        self.output = nn.Sequential(conv3x3(WIDTH, WIDTH // 2), nn.LeakyReLU(), conv3x3(WIDTH // 2, 1))

    def forward(self, image: Tensor, base: Tensor, detail: Tensor) -> Tensor:
        """Decodes."""
        return (self.output(self.blocks(self.reduce(torch.cat((base, detail), 1)))) + image).sigmoid()


class BaseFeatures(nn.Module):
    """A transformer block with attention over channels; its convolutions mix channels, where Restormer's do not."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm = ChannelNorm(WIDTH)
        self.attention = MixedAttention()
        self.feed_forward_norm = ChannelNorm(WIDTH)
        self.feed_forward = PairedFeedForward()

    def forward(self, x: Tensor) -> Tensor:
        """Applies the block; shape in is shape out."""
        x = channels_last(x)
        x = x + self.attention(self.attention_norm(x))
        return x + self.feed_forward(self.feed_forward_norm(x))


class MixedAttention(nn.Module):
    """Attention over channels, whose queries, keys and values come from a full 3x3 convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(HEADS, 1, 1))
        self.pointwise = Pointwise(WIDTH, 3 * WIDTH)
        self.full = conv3x3(3 * WIDTH, 3 * WIDTH)
        self.projection = Pointwise(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Attends; shape in is shape out."""
        query, key, value = self.full(self.pointwise(x)).chunk(3, dim=1)
        return channel_attention(query, key, value, self.temperature, self.projection.weight)


class PairedFeedForward(nn.Module):
    """A gated feed-forward network, whose 3x3 convolution takes channels two by two."""

    def __init__(self) -> None:
        super().__init__()
        self.expand = Pointwise(WIDTH, 2 * WIDTH)
        self.paired = nn.Conv2d(2 * WIDTH, 2 * WIDTH, 3, padding=1, groups=WIDTH, bias=False)
        self.projection = Pointwise(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Mixes channels; shape in is shape out."""
        gate, value = self.paired(self.expand(x)).chunk(2, dim=1)
        return self.projection(gated(gate, value))


class DetailFeatures(nn.Module):
    """Invertible steps on the two halves of the channels.

    Args:
        steps: how many.
    """

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = nn.ModuleList(CouplingStep() for _ in range(steps))

    def forward(self, x: Tensor) -> Tensor:
        """Applies the steps; shape in is shape out."""
        for step in self.steps:
            x = step(x)
        return x


class CouplingStep(nn.Module):
    """``b + offset(a)``, and ``a * exp(rate(b)) + shift(b)`` with that, of two mixed halves a and b."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(WIDTH, WIDTH, 1)
        self.offset, self.rate, self.shift = InvertedResidual(), InvertedResidual(), InvertedResidual()

    def forward(self, x: Tensor) -> Tensor:
        """Applies the step; shape in is shape out."""
        first, second = self.mix(x).chunk(2, dim=1)
        second = second + self.offset(first)
        first = first * self.rate(second).exp() + self.shift(second)
        return torch.cat((first, second), dim=1)


class InvertedResidual(nn.Module):
    """Twice the channels, a convolution of each by itself, and back, of (B, 32, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.expand = Pointwise(WIDTH // 2, WIDTH)
        self.depthwise = depthwise(WIDTH)
        self.projection = Pointwise(WIDTH, WIDTH // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Maps features; shape in is shape out."""
        x = padded(F.relu6(self.expand(x)), 1, "reflect")
        x = F.conv2d(x, self.depthwise.weight, groups=WIDTH)
        return self.projection(F.relu6(x))


_NAMES = (
    (r"DIDF_Encoder\.patch_embed\.proj", "encoder.embed"),
    (r"DIDF_Encoder\.encoder_level1", "encoder.blocks"),
    (r"DIDF_Encoder\.baseFeature", "encoder.base"),
    (r"DIDF_Encoder\.detailFeature", "encoder.detail"),
    (r"DIDF_Decoder\.reduce_channel", "decoder.reduce"),
    (r"DIDF_Decoder\.encoder_level2", "decoder.blocks"),
    (r"DIDF_Decoder\.output", "decoder.output"),
    (r"BaseFuseLayer", "base"),
    (r"DetailFuseLayer", "detail"),
    (r"attn\.scale", "attention.temperature"),
    (r"attn\.qkv1", "attention.pointwise"),
    (r"attn\.qkv2", "attention.full"),
    (r"attn\.proj\.", "attention.projection."),
    (r"mlp\.project_in", "feed_forward.expand"),
    (r"mlp\.dwconv", "feed_forward.paired"),
    (r"mlp\.project_out", "feed_forward.projection"),
    (r"net\.(\d)", r"steps.\1"),
    (r"shffleconv", "mix"),
    (r"theta_phi", "offset"),
    (r"theta_rho", "rate"),
    (r"theta_eta", "shift"),
    (r"bottleneckBlock\.0", "expand"),
    (r"bottleneckBlock\.3", "depthwise"),
    (r"bottleneckBlock\.5", "projection"),
    *RESTORMER_NAMES,
)


def from_published(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Gives the weights of a published file, parts joined by a dot, the names that they have here."""
    return {renamed(name, _NAMES): value for name, value in weights.items()}
