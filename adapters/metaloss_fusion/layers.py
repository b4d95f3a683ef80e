"""What the networks share: two grey sources in, and convolutions that keep the image's size."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metaloss.networks.refusion import check_grey_sources
from metaloss.networks.restormer import channels_last


class TwoSources(nn.Module, ABC):
    """A fusion network of an infrared and a visible image; what inherits it defines ``fused``.

    The attributes of the networks are named as the published weight files name their entries, so that a file fits
    as it is, and what is trained here fits the authors' own code. Some files hold layers that the published
    network never calls; they are kept, so that files fit both ways, and do not learn.
    """

    arguments: ClassVar[dict[str, int]] = {"sources": 2}

    def forward(self, *sources: Tensor) -> Tensor:
        """Fuses.

        Args:
            sources: infrared and visible luma, each of shape (B, 1, H, W), in [0, 1]; any H and W.

        Returns:
            The fused luma, of shape (B, 1, H, W), in [0, 1]. Networks without a sigmoid or tanh at their end may
            leave that range a little; nothing is cut off here, as a cut has no gradient.

        Raises:
            ShapeError: another number of sources, sources that are not grey, or that differ in shape.
        """
        check_grey_sources(sources, 2, type(self).__name__)
        return self.fused(*sources)

    @abstractmethod
    def fused(self, ir: Tensor, vi: Tensor) -> Tensor:
        """Fuses two images of shape (B, 1, H, W)."""


def named(**modules: nn.Module) -> nn.ModuleDict:
    """Modules under the names that they have in a published file."""
    return nn.ModuleDict(modules)


def frozen(module: nn.Module) -> nn.Module:
    """A module that is in the published file and has no part in the image."""
    return module.requires_grad_(False)


def convolved(x: Tensor, convolution: nn.Conv2d, norm: nn.Module | None = None, *, border: str = "zeros") -> Tensor:
    """Convolves with stride 1, keeps the size, and normalises.

    In evaluation mode batch norm is a factor and a shift of the convolution's weights: one pass over the image less.

    Args:
        x: of shape (B, C, H, W).
        convolution: of an odd size; its own padding does not count.
        norm: the batch norm behind it.
        border: how the image goes on beyond its edge: ``"zeros"``, ``"reflect"`` or ``"replicate"``.

    Returns:
        Of shape (B, O, H, W).
    """
    weight, bias = convolution.weight, convolution.bias
    if norm is not None and not norm.training:
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        shift = norm.bias - norm.running_mean * scale
        weight = weight * scale.view(-1, 1, 1, 1)
        bias = shift if bias is None else torch.addcmul(shift, bias, scale)
    reach = convolution.kernel_size[0] // 2
    if border == "zeros":
        x = F.conv2d(x, weight, bias, padding=reach)
    else:
        x = F.conv2d(padded(x, reach, border), weight, bias)
    return norm(x) if norm is not None and norm.training else x


def padded(x: Tensor, reach: int, border: str) -> Tensor:
    """Goes on beyond the edges of (B, C, H, W) by ``reach`` pixels; what is too small to reflect repeats its edge."""
    if border == "reflect" and (x.shape[-2] <= reach or x.shape[-1] <= reach):
        border = "replicate"
    return F.pad(x, (reach,) * 4, mode=border)


def laid_out(x: Tensor) -> Tensor:
    """Lays features (B, C, H, W) out as the device's convolutions take them fastest, and give them on.

    On the processor that is with the channels of a pixel beside each other.
    """
    return channels_last(x) if x.device.type == "cpu" else x


def start_at(convolution: nn.Conv2d, level: float) -> nn.Conv2d:
    """Lets a new network's images begin around a level: behind a last ReLU or tanh they might be black else."""
    nn.init.constant_(convolution.bias, level)
    return convolution
