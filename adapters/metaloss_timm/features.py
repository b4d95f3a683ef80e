"""A fusion network and a loss generator on the features of a timm backbone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from metaloss_frameworks.framework_call import framework_call
from torch import Tensor, nn

from metaloss.errors import ConfigError
from metaloss_timm.models import build_features, own_size

WIDTH = 16


class FeaturePyramid(nn.Module):
    """Features of several strides, each brought to the image's size, added to those of the image itself.

    Args:
        model: one of ``timm.list_models()`` that gives features.
        channels: of the input.
        outputs: channels of the result.
        stages: which of the backbone's features to take.
    """

    def __init__(self, model: str, channels: int, outputs: int, stages: Sequence[int]) -> None:
        super().__init__()
        self.model = model
        self.backbone, self.size = build_features(model, in_chans=channels, out_indices=tuple(stages))
        self.own_size = own_size(self.backbone)
        self.channels_last = getattr(self.backbone, "output_fmt", None) == "NHWC"
        self.fine = nn.Conv2d(channels, WIDTH, 3, padding=1)
        self.lateral = nn.ModuleList(nn.Conv2d(width, WIDTH, 1) for width in self.backbone.feature_info.channels())
        self.head = nn.Sequential(nn.PReLU(), nn.Conv2d(WIDTH, outputs, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, channels, H, W) to (B, outputs, H, W)."""
        total = self.fine(x)
        for lateral, features in zip(self.lateral, self._features(x), strict=True):
            total = total + F.interpolate(lateral(features), x.shape[-2:], mode="bilinear", align_corners=False)
        mapped: Tensor = self.head(total)
        return mapped

    def _features(self, x: Tensor) -> list[Tensor]:
        """The backbone's features, channels first; of a model of one size, of the resized image."""
        if self.size is not None and x.shape[-2:] != self.size:
            x = F.interpolate(x, self.size, mode="bilinear", antialias=True, align_corners=False)
        size = (x.shape[-2], x.shape[-1])
        call = framework_call(f"model {self.model!r}", "give features", image_size=size, own_size=self.own_size)
        # a compiler follows no exceptions out of a context manager
        with nullcontext() if torch.compiler.is_compiling() else call:
            found: list[Tensor] = self.backbone(x)
        return [each.permute(0, 3, 1, 2) for each in found] if self.channels_last else found


class FeatureFusion(nn.Module):
    """Fuses n grey images into one, from the features of all of them together.

    Args:
        model: one of ``timm.list_models()`` that gives features.
        sources: n >= 2.
        stages: which of the backbone's features to take: the first three have strides of 2, 4 and 8 in most models.

    Raises:
        ConfigError: fewer than two sources, or a model that gives no such features.
    """

    def __init__(self, model: str = "resnet18", *, sources: int = 2, stages: Sequence[int] = (0, 1, 2)) -> None:
        super().__init__()
        check_sources(sources)
        self.arguments = {"model": model, "sources": sources, "stages": tuple(stages)}
        self.metaloss_record = {"name": "timm_features", "arguments": self.arguments}
        self.pyramid = FeaturePyramid(model, sources, 1, stages)

    def forward(self, *sources: Tensor) -> Tensor:
        """Fuses n sources, each (B, 1, H, W) in [0, 1], into one image of that shape and range."""
        fused: Tensor = self.pyramid(torch.cat(sources, dim=1)).sigmoid()
        return fused


class FeatureGenerator(nn.Module):
    """Proposes the weights of the fusion loss from the features of all sources together.

    Args:
        model: one of ``timm.list_models()`` that gives features.
        sources: n >= 2.
        outputs: the loss terms to weigh: ``("intensity",)``, or with ``"gradient"`` as well.
        stages: which of the backbone's features to take.

    Raises:
        ConfigError: fewer than two sources, or a model that gives no such features.
    """

    def __init__(
        self,
        model: str = "resnet18",
        *,
        sources: int = 2,
        outputs: Sequence[str] = ("intensity",),
        stages: Sequence[int] = (0, 1, 2),
    ) -> None:
        super().__init__()
        check_sources(sources)
        self.outputs = tuple(outputs)
        self.arguments = {"model": model, "sources": sources, "outputs": self.outputs, "stages": tuple(stages)}
        self.metaloss_record = {"name": "timm_features", "arguments": self.arguments}
        self.pyramid = FeaturePyramid(model, sources, sources * len(self.outputs), stages)

    def forward(self, *sources: Tensor) -> dict[str, Tensor]:
        """Proposes weights.

        Args:
            sources: n tensors of shape (B, 1, H, W), in [0, 1].

        Returns:
            By loss term, of shape (B, n, H, W), summing to 1 over the sources.
        """
        logits = self.pyramid(torch.cat(sources, dim=1)).chunk(len(self.outputs), dim=1)
        return {name: part.softmax(dim=1) for name, part in zip(self.outputs, logits, strict=True)}


def check_sources(sources: int) -> None:
    """Refuses fewer than two sources.

    Raises:
        ConfigError: naming the number.
    """
    if sources < 2:
        raise ConfigError(f"sources={sources}: image fusion needs at least two sources")
