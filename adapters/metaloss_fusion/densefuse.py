"""DenseFuse (Li and Wu, IEEE TIP 2019)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metaloss_fusion.layers import convolved, laid_out, named, padded, start_at
from metaloss_fusion.shared_encoder import SharedEncoder

GROWTH = 16
RANGE = 255  # of the grey values that the published weights have learnt from


class DenseFuse(SharedEncoder):
    """An auto-encoder with a dense block; the features of both sources are averaged (74,193 parameters).

    All convolutions are 3x3, reflect at the border, and end in ReLU, the last one too. Grey values inside run from
    0 to 255: the network multiplies and divides by that itself.

    Args:
        shared_encoder: ``False`` gives the visible image layers of its own up to the average (``vi``; 88,225
            parameters), see :class:`metaloss_fusion.shared_encoder.SharedEncoder`.
    """

    encoder = ("conv1", "DB1")

    def __init__(self, *, shared_encoder: bool = True) -> None:
        super().__init__()
        self.conv1 = _layer(1, GROWTH)
        self.DB1 = named(denseblock=nn.ModuleList(named(dense_conv=_layer(n * GROWTH, GROWTH)) for n in (1, 2, 3)))
        self.conv2 = _layer(64, 64)
        self.conv3 = _layer(64, 32)
        self.conv4 = _layer(32, 16)
        self.conv5 = named(conv2d=start_at(nn.Conv2d(16, 1, 3), RANGE / 2))
        self.share_encoder(shared_encoder)

    def fused(self, ir: Tensor, vi: Tensor) -> Tensor:
        """Fuses two images of shape (B, 1, H, W)."""
        of_ir, of_vi = self.encoders()
        x = torch.lerp(self._features(RANGE * ir, *of_ir), self._features(RANGE * vi, *of_vi), 0.5)
        for layer in (self.conv2, self.conv3, self.conv4, self.conv5):
            x = F.relu(convolved(x, layer["conv2d"], border="reflect"), inplace=True)
        return x / RANGE

    def _features(self, x: Tensor, conv1: nn.ModuleDict, block: nn.ModuleDict) -> Tensor:
        """Four times 16 features (B, 64, H, W); each is padded once for all the layers that read it."""
        x = F.relu(convolved(x, conv1["conv2d"], border="reflect"), inplace=True)
        x = laid_out(x)
        features, wider = [x], [padded(x, 1, "reflect")]
        for layer in block["denseblock"]:
            convolution = layer["dense_conv"]["conv2d"]
            x = F.relu(F.conv2d(torch.cat(wider, 1), convolution.weight, convolution.bias), inplace=True)
            features.append(x)
            wider.append(padded(x, 1, "reflect"))
        return torch.cat(features, 1)


def _layer(inputs: int, outputs: int) -> nn.ModuleDict:
    return named(conv2d=nn.Conv2d(inputs, outputs, 3))
