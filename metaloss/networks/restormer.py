"""Restormer blocks (Zamir et al., CVPR 2022), written for speed.

The block is the published one; a few things are done differently and give the same numbers.
Features lie channels-last in memory, and layer norm runs on that view. The attention matrix, a few entries per head, is
normalised instead of q and k at full resolution. Attention and the projection behind it are
one small matrix per image, so the values are read once. All operators have forward-mode rules
and second derivatives. Where no derivative is taken, the image passes in bands of rows
(:mod:`metaloss.networks.bands`).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metaloss.networks import bands
from metaloss.networks.tangents import bilinear, layer_norm, sum_of_squares


class Pointwise(nn.Conv2d):
    """A 1x1 convolution without bias."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mixes the channels of each pixel of (B, C, H, W); the result lies channels-last in memory."""
        return bilinear(F.conv2d, x.contiguous(memory_format=torch.channels_last), self.weight)


def depthwise(channels: int) -> nn.Conv2d:
    """A 3x3 convolution of each channel by itself, zero-padded, without bias."""
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    """A zero-padded 3x3 convolution without bias."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def channels_last(x: Tensor) -> Tensor:
    """Lays a tensor (B, C, H, W) channels-last in memory, and its gradient, too.

    One layout throughout: an operator that meets two of them takes several times as long, and hands
    the slower one on.
    """
    x = x.contiguous(memory_format=torch.channels_last)
    if x.requires_grad and not torch.compiler.is_compiling():
        x.register_hook(_slope_channels_last)
    return x


def _slope_channels_last(slope: Tensor | None) -> Tensor | None:
    return None if slope is None else slope.contiguous(memory_format=torch.channels_last)


def parts(x: Tensor, pointwise: Tensor, depthwise: Tensor, count: int) -> list[Tensor]:
    """A 1x1 convolution, a 3x3 convolution of each channel, and the result in equal parts.

    Each part is computed by itself: slices of one result would be strided in memory, and their gradients
    copied together.

    Args:
        x: of shape (B, C, H, W).
        pointwise: weight of shape (O, C, 1, 1).
        depthwise: weight of shape (O, 1, 3, 3).
        count: of parts; O is a multiple of it.

    Returns:
        Tensors of shape (B, O / count, H, W), channels-last in memory.
    """
    x = x.contiguous(memory_format=torch.channels_last)
    weights = zip(pointwise.chunk(count), depthwise.chunk(count), strict=True)
    return [bilinear(_depthwise, bilinear(F.conv2d, x, a), b) for a, b in weights]


def _depthwise(x: Tensor, weight: Tensor) -> Tensor:
    return F.conv2d(x, weight, padding=1, groups=len(weight))


def gated(gate: Tensor, value: Tensor) -> Tensor:
    """``gelu(gate) * value``."""
    return bilinear(torch.mul, F.gelu(gate), value)


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each pixel, of (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalises; the result lies channels-last in memory."""
        return layer_norm(x.permute(0, 2, 3, 1), self.weight, self.bias, self.eps).permute(0, 3, 1, 2)


def channel_attention(q: Tensor, k: Tensor, v: Tensor, temperature: Tensor, projection: Tensor) -> Tensor:
    """Attends over channels (multi-Dconv head transposed attention, Restormer Eq. 1) and projects.

    Per head, ``softmax(temperature * cos(q_i, k_j)) v``, with the cosine over all pixels of the image.

    Args:
        q: queries of shape (B, C, H, W).
        k: keys, likewise.
        v: values, likewise.
        temperature: of shape (heads, 1, 1); C is a multiple of heads.
        projection: weight of the 1x1 convolution that follows, of shape (O, C, 1, 1).

    Returns:
        Of shape (B, O, H, W), channels-last in memory.
    """
    q, k = q.flatten(2), k.flatten(2)
    mixing = mixing_matrix(q @ k.transpose(1, 2), sum_of_squares(q), sum_of_squares(k), temperature, projection)
    return mixed_channels(v, mixing)


def mixing_matrix(cross: Tensor, q: Tensor, k: Tensor, temperature: Tensor, projection: Tensor) -> Tensor:
    """Attention and the projection behind it, as one matrix per image.

    Args:
        cross: the products of queries and keys, summed over the image, of shape (B, C, C).
        q: the queries' squares, summed over the image, of shape (B, C).
        k: the keys', likewise.
        temperature: of shape (heads, 1, 1).
        projection: weight of shape (O, C, 1, 1).

    Returns:
        Of shape (B, O, C).
    """
    channels, heads = cross.shape[-1], temperature.shape[0]
    cosines = cross / (_norm(q).unsqueeze(2) * _norm(k).unsqueeze(1))
    scale = temperature.view(heads, 1).expand(heads, channels // heads).reshape(channels, 1)
    head = torch.arange(channels, device=cross.device) // (channels // heads)
    logits = cosines * scale
    attention = logits.masked_fill(head[:, None] != head, float("-inf")).softmax(-1)
    return projection.flatten(1) @ attention


def mixing_in_bands(
    projected: Callable[..., Tensor], *images: Tensor, temperature: Tensor, projection: Tensor
) -> Tensor:
    """The matrix of :func:`mixing_matrix`, of queries and keys that are there for one band of rows at a time.

    Args:
        projected: gives queries and keys (B, 2 C, h, W) for bands of the images; depends on one row more.
        images: each (B, C, H, W).
        temperature: of shape (heads, 1, 1).
        projection: weight of shape (O, C, 1, 1).

    Returns:
        Of shape (B, O, C).
    """
    total = bands.products(projected, *images, reach=1)
    half = total.shape[-1] // 2
    squares = total.diagonal(dim1=1, dim2=2)
    return mixing_matrix(total[:, :half, half:], squares[:, :half], squares[:, half:], temperature, projection)


def mixed_channels(v: Tensor, mixing: Tensor) -> Tensor:
    """Multiplies each pixel of (B, C, H, W) by a matrix (B, O, C); the result lies channels-last in memory."""
    height, width = v.shape[-2:]
    rows = bilinear(torch.bmm, v.flatten(2).transpose(1, 2), mixing.transpose(1, 2))
    mixed: Tensor = rows.unflatten(1, (height, width)).permute(0, 3, 1, 2)
    return mixed


def _norm(squared: Tensor) -> Tensor:
    # a blank source has q = k = 0, where the published 1 / max(norm, 1e-12) has slopes of 1e12
    return torch.where(squared < 1e-24, torch.ones_like(squared), squared).sqrt()


class TransposedAttention(nn.Module):
    """Self-attention over channels, of (B, C, H, W)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = Pointwise(channels, 3 * channels)
        self.qkv_depthwise = depthwise(3 * channels)
        self.projection = Pointwise(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Attends; shape in is shape out."""
        q, k, v = parts(x, self.qkv.weight, self.qkv_depthwise.weight, 3)
        return channel_attention(q, k, v, self.temperature, self.projection.weight)

    def queries_and_keys(self, x: Tensor) -> Tensor:
        """Queries and keys, (B, 2 C, H, W)."""
        return self._projected(x, slice(2 * x.shape[1]))

    def values(self, x: Tensor) -> Tensor:
        """Values, (B, C, H, W)."""
        return self._projected(x, slice(2 * x.shape[1], None))

    def _projected(self, x: Tensor, wanted: slice) -> Tensor:
        (projected,) = parts(x, self.qkv.weight[wanted], self.qkv_depthwise.weight[wanted], 1)
        return projected


class GatedFeedForward(nn.Module):
    """The gated depth-wise feed-forward network of Restormer, of (B, C, H, W)."""

    def __init__(self, channels: int, expansion: int) -> None:
        super().__init__()
        hidden = channels * expansion
        self.expand = Pointwise(channels, 2 * hidden)
        self.depthwise = depthwise(2 * hidden)
        self.projection = Pointwise(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Mixes channels; shape in is shape out."""
        gate, value = parts(x, self.expand.weight, self.depthwise.weight, 2)
        mixed: Tensor = self.projection(gated(gate, value))
        return mixed


class RestormerBlock(nn.Module):
    """``x + attention(norm(x))``, then ``x + feed_forward(norm(x))``, of (B, C, H, W).

    Args:
        channels: C.
        heads: attention heads; C is a multiple of it.
        expansion: width of the feed-forward network over C.
    """

    def __init__(self, channels: int, heads: int = 8, expansion: int = 2) -> None:
        super().__init__()
        self.attention_norm = ChannelNorm(channels)
        self.attention = TransposedAttention(channels, heads)
        self.feed_forward_norm = ChannelNorm(channels)
        self.feed_forward = GatedFeedForward(channels, expansion)

    def forward(self, x: Tensor) -> Tensor:
        """Applies the block; shape in is shape out."""
        x = channels_last(x)
        if bands.in_bands(x):
            mixing = mixing_in_bands(
                self._queries_and_keys,
                x,
                temperature=self.attention.temperature,
                projection=self.attention.projection.weight,
            )
            attended: Tensor = bands.stitched(lambda rows: self._attended(rows, mixing), x, reach=2)
            return attended
        x = x + self.attention(self.attention_norm(x))
        return channels_last(self._fed_forward(x))

    def _queries_and_keys(self, rows: Tensor) -> Tensor:
        return self.attention.queries_and_keys(self.attention_norm(rows))

    def _attended(self, rows: Tensor, mixing: Tensor) -> Tensor:
        values = self.attention.values(self.attention_norm(rows))
        return self._fed_forward(rows + mixed_channels(values, mixing))

    def _fed_forward(self, x: Tensor) -> Tensor:
        fed: Tensor = x + self.feed_forward(self.feed_forward_norm(x))
        return fed


def restormer_blocks(channels: int, count: int = 2) -> nn.Sequential:
    """A stack of Restormer blocks of one width."""
    return nn.Sequential(*(RestormerBlock(channels) for _ in range(count)))
