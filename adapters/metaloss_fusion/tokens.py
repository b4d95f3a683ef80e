"""The transformer of YDTR and of DATFuse: Swin blocks with windows of a single token."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metaloss_fusion.layers import frozen, named

EXPANSION = 4
EMBEDDING = 96  # width of a norm that is in the files and is never called


class TokenBlock(nn.Module):
    """``x + projection(value(norm(x)))``, then ``x + mlp(norm(x))``, for each token by itself.

    Attention within a window of one token is the softmax of one number, 1: what comes out is the token's own value.
    Queries, keys and the bias of positions are in the published files and have no part in the image; value and
    projection are one matrix.

    Args:
        width: numbers in a token.
        heads: of the attention, as the file counts them.
    """

    def __init__(self, width: int, heads: int = 8) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = named(qkv=nn.Linear(width, 3 * width), proj=nn.Linear(width, width))
        self.attn.register_parameter("relative_position_bias_table", nn.Parameter(torch.zeros(1, heads), False))
        self.attn.register_buffer("relative_position_index", torch.zeros(1, 1, dtype=torch.int64))
        self.norm2 = nn.LayerNorm(width)
        self.mlp = named(fc1=nn.Linear(width, EXPANSION * width), fc2=nn.Linear(EXPANSION * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Maps (B, N, width) to (B, N, width)."""
        width = tokens.shape[-1]
        values, projection = self.attn["qkv"], self.attn["proj"]
        weight = projection.weight @ values.weight[2 * width :]
        bias = projection.weight @ values.bias[2 * width :] + projection.bias
        tokens = tokens + F.linear(self.norm1(tokens), weight, bias)
        return tokens + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(tokens))))


class TokenBlocks(nn.Module):
    """Two blocks on an image whose tokens are runs of ``width`` neighbouring numbers in memory.

    The published code lays (B, C, H, W) out as (B, H, W, C) without moving a number: a token is a piece of C pixels
    of a row (and of the next one) of one channel, and not the channels of one pixel.

    Args:
        width: C.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(TokenBlock(width) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C, H, W) to (B, C, H, W)."""
        tokens = x.reshape(x.shape[0], -1, x.shape[1])  # len(x) would be a constant in an exported program
        for block in self.blocks:
            tokens = block(tokens)
        return tokens.view(x.shape)


def uncalled_embedding() -> nn.ModuleDict:
    """The norm of a patch embedding that is in the published files."""
    return named(norm=frozen(nn.LayerNorm(EMBEDDING)))
