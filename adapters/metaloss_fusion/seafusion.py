"""SeAFusion (Tang et al., Information Fusion 2022)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metaloss_fusion.layers import TwoSources, convolved, frozen, laid_out, named

WIDTHS = (16, 32, 48)
SLOPE, BLOCK_SLOPE = 0.2, 0.1  # of the leaky ReLUs


class SeAFusion(TwoSources):
    """Two gradient residual dense blocks for each source, and four convolutions for both (166,883 parameters).

    The Sobel filters are where their learning begins. The four batch norms in the published file are never called.
    Ends in tanh, which is brought from [-1, 1] into [0, 1].
    """

    def __init__(self) -> None:
        super().__init__()
        first, second, third = WIDTHS
        for source in ("vis", "inf"):
            self.add_module(f"{source}_conv", _layer(1, first))
            self.add_module(f"{source}_rgbd1", GradientBlock(first, second))
            self.add_module(f"{source}_rgbd2", GradientBlock(second, third))
        self.decode4 = _uncalled_norm(2 * third, 2 * second)
        self.decode3 = _uncalled_norm(2 * second, 2 * first)
        self.decode2 = _uncalled_norm(2 * first, first)
        self.decode1 = _uncalled_norm(first, 1)

    def fused(self, ir: Tensor, vi: Tensor) -> Tensor:
        """Fuses two images of shape (B, 1, H, W)."""
        x = torch.cat((self._features(vi, "vis"), self._features(ir, "inf")), 1)
        for layer in (self.decode4, self.decode3, self.decode2):
            x = _leaky(x, layer)
        return convolved(x, self.decode1["conv"]).tanh() / 2 + 0.5

    def _features(self, x: Tensor, source: str) -> Tensor:
        x = laid_out(_leaky(x, getattr(self, f"{source}_conv")))
        for number in (1, 2):
            x = getattr(self, f"{source}_rgbd{number}")(x)
        return x


class GradientBlock(nn.Module):
    """Two densely connected convolutions, and beside them the size of the features' gradient.

    Args:
        inputs: channels of the input.
        outputs: channels of the result.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.dense = named(conv1=_layer(inputs, inputs), conv2=_layer(2 * inputs, inputs))
        self.convdown = named(conv=nn.Conv2d(3 * inputs, outputs, 1))
        sobel = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]])
        self.sobelconv = named(convx=_filter(inputs, sobel), convy=_filter(inputs, sobel.T))
        self.convup = named(conv=nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, inputs, H, W) to (B, outputs, H, W)."""
        slope = self.sobelconv["convx"](x).abs() + self.sobelconv["convy"](x).abs()
        first = _leaky(x, self.dense["conv1"])
        second = _leaky(torch.cat((x, first), 1), self.dense["conv2"])
        mixed = self.convdown["conv"](torch.cat((x, first, second), 1)) + self.convup["conv"](slope)
        return F.leaky_relu(mixed, BLOCK_SLOPE, inplace=True)


def _layer(inputs: int, outputs: int) -> nn.ModuleDict:
    return named(conv=nn.Conv2d(inputs, outputs, 3))


def _uncalled_norm(inputs: int, outputs: int) -> nn.ModuleDict:
    return named(conv=nn.Conv2d(inputs, outputs, 3), bn=frozen(nn.BatchNorm2d(outputs)))


def _filter(channels: int, kernel: Tensor) -> nn.Conv2d:
    convolution = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
    with torch.no_grad():
        convolution.weight.copy_(kernel)
    return convolution


def _leaky(x: Tensor, layer: nn.ModuleDict) -> Tensor:
    return F.leaky_relu(convolved(x, layer["conv"]), SLOPE, inplace=True)
