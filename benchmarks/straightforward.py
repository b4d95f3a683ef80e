"""The reference networks as their papers write them, for comparison: nothing here is written for speed.

Layer norm by formula on a rearranged tensor, every convolution an ``nn.Conv2d``, attention with the
heads split out and q and k normalised at full resolution. Parameters bear the names and shapes of
:mod:`metaloss.networks`, so weights go from one to the other by ``load_state_dict`` and gradients
compare by name. Blank images are not guarded against: cosines of zero vectors have slopes of 1e12 here.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH = 16
HEADS = 8


def to_3d(x: Tensor) -> Tensor:
    """Rearranges (B, C, H, W) to (B, H W, C)."""
    return x.flatten(2).transpose(1, 2)


def to_4d(x: Tensor, height: int, width: int) -> Tensor:
    """Rearranges (B, H W, C) back to (B, C, H, W)."""
    return x.transpose(1, 2).unflatten(2, (height, width))


def split_heads(x: Tensor, heads: int) -> Tensor:
    """Rearranges (B, C, H, W) to (B, heads, C / heads, H W)."""
    return x.unflatten(1, (heads, -1)).flatten(3)


def pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    """A 1x1 convolution without bias."""
    return nn.Conv2d(inputs, outputs, 1, bias=False)


def depthwise(channels: int) -> nn.Conv2d:
    """A zero-padded 3x3 convolution of each channel by itself, without bias."""
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    """A zero-padded 3x3 convolution without bias."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def attend(q: Tensor, k: Tensor, v: Tensor, temperature: Tensor) -> Tensor:
    """Attends over channels, head by head; (B, C, H, W) each, and so is the result."""
    height, width = v.shape[-2:]
    q, k, v = (split_heads(x, len(temperature)) for x in (q, k, v))
    q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
    attention = (q @ k.transpose(-2, -1) * temperature).softmax(dim=-1)
    return (attention @ v).flatten(1, 2).unflatten(2, (height, width))


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each pixel, by formula."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalises (B, C, H, W)."""
        flat = to_3d(x)
        mean = flat.mean(-1, keepdim=True)
        variance = flat.var(-1, keepdim=True, unbiased=False)
        return to_4d((flat - mean) / torch.sqrt(variance + 1e-5) * self.weight + self.bias, *x.shape[-2:])


class TransposedAttention(nn.Module):
    """Self-attention over channels."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = pointwise(channels, 3 * channels)
        self.qkv_depthwise = depthwise(3 * channels)
        self.projection = pointwise(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Attends; shape in is shape out."""
        q, k, v = self.qkv_depthwise(self.qkv(x)).chunk(3, dim=1)
        return self.projection(attend(q, k, v, self.temperature))


class GatedFeedForward(nn.Module):
    """The gated depth-wise feed-forward network."""

    def __init__(self, channels: int, expansion: int) -> None:
        super().__init__()
        hidden = channels * expansion
        self.expand = pointwise(channels, 2 * hidden)
        self.depthwise = depthwise(2 * hidden)
        self.projection = pointwise(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Mixes channels; shape in is shape out."""
        gate, value = self.depthwise(self.expand(x)).chunk(2, dim=1)
        return self.projection(F.gelu(gate) * value)


class RestormerBlock(nn.Module):
    """The Restormer block, of (B, C, H, W)."""

    def __init__(self, channels: int, heads: int = HEADS, expansion: int = 2) -> None:
        super().__init__()
        self.attention_norm = ChannelNorm(channels)
        self.attention = TransposedAttention(channels, heads)
        self.feed_forward_norm = ChannelNorm(channels)
        self.feed_forward = GatedFeedForward(channels, expansion)

    def forward(self, x: Tensor) -> Tensor:
        """Applies the block; shape in is shape out."""
        x = x + self.attention(self.attention_norm(x))
        return x + self.feed_forward(self.feed_forward_norm(x))


def blocks(channels: int) -> nn.Sequential:
    """Two Restormer blocks of one width."""
    return nn.Sequential(RestormerBlock(channels), RestormerBlock(channels))


class BranchMixing(nn.Module):
    """One source's weights in the adaptive fusion module."""

    def __init__(self, sources: int) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(HEADS, 1, 1))
        self.qkv = pointwise(WIDTH, 3 * WIDTH)
        self.qkv_depthwise = depthwise(3 * WIDTH)
        self.projection = pointwise(WIDTH, WIDTH)
        self.value = pointwise(WIDTH, 4 * WIDTH)
        self.value_depthwise = depthwise(4 * WIDTH)
        self.output = pointwise(4 * WIDTH, sources * WIDTH)


class AdaptiveFusion(nn.Module):
    """Cross attention between neighbouring branches, then gated feature mixing."""

    def __init__(self, sources: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(BranchMixing(sources) for _ in range(sources))
        self.gate = pointwise(sources * WIDTH, sources * 4 * WIDTH)
        self.gate_depthwise = depthwise(sources * 4 * WIDTH)

    def forward(self, *features: Tensor) -> Tensor:
        """Fuses n feature maps (B, 16, H, W) into (B, 16 n, H, W)."""
        triples = [b.qkv_depthwise(b.qkv(x)).chunk(3, dim=1) for b, x in zip(self.branches, features, strict=True)]
        queries = [triples[(k + 1) % len(triples)][0] for k in range(len(triples))]
        mixed = [
            x + b.projection(attend(q, k, v, b.temperature))
            for b, x, q, (_, k, v) in zip(self.branches, features, queries, triples, strict=True)
        ]
        out = torch.cat(mixed, dim=1)
        gates = self.gate_depthwise(self.gate(out)).chunk(len(mixed), dim=1)
        for branch, x, gate in zip(self.branches, mixed, gates, strict=True):
            out = out + branch.output(F.gelu(gate) * branch.value_depthwise(branch.value(x)))
        return out


class ReFusionNet(nn.Module):
    """The fusion network for n grey sources."""

    def __init__(self, sources: int = 2) -> None:
        super().__init__()
        self.embed = nn.ModuleList(conv3x3(1, WIDTH) for _ in range(sources))
        self.encoders = nn.ModuleList(blocks(WIDTH) for _ in range(sources))
        self.mixing = AdaptiveFusion(sources)
        self.decoder = blocks(sources * WIDTH)
        self.head = nn.Sequential(conv3x3(sources * WIDTH, WIDTH), nn.LeakyReLU(), conv3x3(WIDTH, 1), nn.Sigmoid())

    def forward(self, *sources: Tensor) -> Tensor:
        """Fuses n sources (B, 1, H, W) into one image of that shape."""
        features = [encoder(embed(x)) for embed, encoder, x in zip(self.embed, self.encoders, sources, strict=True)]
        return self.head(self.decoder(self.mixing(*features)))


class LossGenerator(nn.Module):
    """The loss generator for n grey sources and one loss term."""

    def __init__(self, sources: int = 2) -> None:
        super().__init__()
        self.embed = nn.ModuleList(conv3x3(1, WIDTH) for _ in range(sources))
        self.encoders = nn.ModuleList(blocks(WIDTH) for _ in range(sources))
        self.joint = blocks(sources * WIDTH)
        self.head = nn.Sequential(conv3x3(sources * WIDTH, WIDTH), nn.PReLU(), conv3x3(WIDTH, sources))

    def forward(self, *sources: Tensor) -> Tensor:
        """Proposes weights (B, n, H, W) that sum to 1 over the sources."""
        features = [encoder(embed(x)) for embed, encoder, x in zip(self.embed, self.encoders, sources, strict=True)]
        return self.head(self.joint(torch.cat(features, dim=1))).softmax(dim=1)


def like(network: nn.Module) -> nn.Module:
    """Builds the straightforward form of one of metaloss's networks, with copies of its weights.

    Args:
        network: a ``RestormerBlock``, ``ReFusionNet`` or ``LossGenerator`` of :mod:`metaloss.networks`.

    Returns:
        A module of the same parameters by name, dtype and device, and the same output.
    """
    if type(network).__name__ == "RestormerBlock":
        attention, feed_forward = network.attention, network.feed_forward
        channels, heads = attention.projection.in_channels, len(attention.temperature)
        built = RestormerBlock(channels, heads, feed_forward.projection.in_channels // channels)
    else:
        built = {"ReFusionNet": ReFusionNet, "LossGenerator": LossGenerator}[type(network).__name__](len(network.embed))
    param = next(network.parameters())
    built.to(dtype=param.dtype, device=param.device).load_state_dict(network.state_dict())
    return built
