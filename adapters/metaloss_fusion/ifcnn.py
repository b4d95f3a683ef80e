"""IFCNN (Zhang et al., Information Fusion 2020)."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metaloss.errors import one_of
from metaloss_fusion.layers import convolved, named
from metaloss_fusion.shared_encoder import SharedEncoder

WIDTH = 64
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's red, green and blue
SCHEMES = {"max": torch.maximum, "sum": torch.add, "mean": partial(torch.lerp, weight=0.5)}


class IFCNN(SharedEncoder):
    """Features of both sources, merged element by element, and two convolutions back (83,587 parameters).

    The published network is one of RGB images in ImageNet's normalisation; a grey one stands in all three channels,
    and the image is the mean over the channels that come back. All of that is linear, so it is put into the weights
    of the first and of the last convolution, which then have one channel in and one out. The first convolution is
    that of a ResNet-101 in the published files, and its authors do not train it.

    Args:
        scheme: how features are merged: ``"max"``, ``"sum"`` or ``"mean"``, as in the name of the weight file, which
            does not say it otherwise.
        normalised: ``False`` leaves ImageNet's normalisation out, as the script of the repository does for grey images.
        shared_encoder: ``False`` gives the visible image convolutions of its own (``vi``; 129,987 parameters), see
            :class:`metaloss_fusion.shared_encoder.SharedEncoder`.

    Raises:
        ConfigError: another scheme.
    """

    encoder = ("conv1", "conv2")

    def __init__(
        self,
        *,
        scheme: Literal["max", "sum", "mean"] = "max",
        normalised: bool = True,
        shared_encoder: bool = True,
    ) -> None:
        super().__init__()
        self.mean, self.deviation = (MEAN, DEVIATION) if normalised else ((0.0,) * 3, (1.0,) * 3)
        self.merged = SCHEMES[one_of("scheme", scheme, SCHEMES)]
        self.conv1 = nn.Conv2d(3, WIDTH, 7, bias=False)
        self.conv2 = _layer()
        self.conv3 = _layer()
        self.conv4 = nn.Conv2d(WIDTH, 3, 1)
        for layer in (self.conv1, self.conv2["conv"], self.conv3["conv"], self.conv4):  # as in the paper's code
            nn.init.kaiming_normal_(layer.weight, mode="fan_out")
        self.share_encoder(shared_encoder)

    def fused(self, ir: Tensor, vi: Tensor) -> Tensor:
        """Fuses two images of shape (B, 1, H, W)."""
        of_ir, of_vi = self.encoders()
        x = _rectified(self.merged(self._features(ir, *of_ir), self._features(vi, *of_vi)), self.conv3)
        bands = list(zip(self.conv4.weight.split(1), self.conv4.bias, self.mean, self.deviation, strict=True))
        weight = sum(deviation / 3 * weight for weight, _, _, deviation in bands)
        bias = sum((deviation * bias + mean) / 3 for _, bias, mean, deviation in bands)
        return F.conv2d(x, weight, bias.unsqueeze(0))

    def _features(self, x: Tensor, conv1: nn.Module, conv2: nn.Module) -> Tensor:
        bands = list(zip(conv1.weight.split(1, 1), self.mean, self.deviation, strict=True))
        weight = sum(weight / deviation for weight, _, deviation in bands)
        shift = -sum(mean / deviation * weight.sum((1, 2, 3)) for weight, mean, deviation in bands)
        x = F.conv2d(F.pad(x, (3, 3, 3, 3), mode="replicate"), weight, shift)
        return _rectified(x, conv2)


def _layer() -> nn.ModuleDict:
    return named(conv=nn.Conv2d(WIDTH, WIDTH, 3, bias=False), bn=nn.BatchNorm2d(WIDTH))


def _rectified(x: Tensor, layer: nn.ModuleDict) -> Tensor:
    return F.relu(convolved(x, layer["conv"], layer["bn"], border="replicate"), inplace=True)
