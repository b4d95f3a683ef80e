"""DIDFuse (Zhao et al., IJCAI 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from metaloss_fusion.layers import TwoSources, convolved, laid_out, named

WIDTH = 64


class DIDFuse(TwoSources):
    """An auto-encoder that takes an image apart into background and detail (260,935 parameters).

    The features of both sources are added, at every level. Each convolution has its batch norm. The published
    weights are two files, of the encoder and of the decoder.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cov1 = _layer("cov1", 1, WIDTH, first=1, learns_slope=True)  # a padding of its own is number 0
        self.cov2 = _layer("cov2", WIDTH, WIDTH, learns_slope=True)
        self.cov3 = _layer("cov3", WIDTH, WIDTH)
        self.cov4 = _layer("cov4", WIDTH, WIDTH)
        self.cov5 = _layer("cov5", 2 * WIDTH, WIDTH, learns_slope=True)
        self.cov6 = _layer("cov6", 2 * WIDTH, WIDTH, learns_slope=True)
        self.cov7 = _layer("cov7", 2 * WIDTH, 1, first=1)

    def fused(self, ir: Tensor, vi: Tensor) -> Tensor:
        """Fuses two images of shape (B, 1, H, W)."""
        pairs = zip(self._features(ir), self._features(vi), strict=True)
        shallow, deep, background, detail = (a + b for a, b in pairs)
        x = self._run("cov5", torch.cat((background, detail), 1))
        x = self._run("cov6", torch.cat((x, deep), 1))
        return self._run("cov7", torch.cat((x, shallow), 1), border="reflect").sigmoid()

    def _features(self, x: Tensor) -> tuple[Tensor, ...]:
        shallow = laid_out(self._run("cov1", x, border="reflect"))
        deep = self._run("cov2", shallow)
        return shallow, deep, self._run("cov3", deep).tanh_(), self._run("cov4", deep).tanh_()

    def _run(self, name: str, x: Tensor, border: str = "zeros") -> Tensor:
        convolution, norm, *slope = getattr(self, name)[name].values()
        x = convolved(x, convolution, norm, border=border)
        return slope[0](x) if slope else x


def _layer(name: str, inputs: int, outputs: int, *, first: int = 0, learns_slope: bool = False) -> nn.ModuleDict:
    """A convolution, its norm and its PReLU, by the numbers that they have in the published file."""
    parts = [nn.Conv2d(inputs, outputs, 3), nn.BatchNorm2d(outputs), *([nn.PReLU()] if learns_slope else [])]
    return named(**{name: named(**{str(number): part for number, part in enumerate(parts, first)})})
