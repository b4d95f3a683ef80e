"""DIDFuse (Zhao et al., IJCAI 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from metaloss_fusion.layers import convolved, laid_out, named
from metaloss_fusion.shared_encoder import SharedEncoder

WIDTH = 64


class DIDFuse(SharedEncoder):
    """An auto-encoder that takes an image apart into background and detail (260,935 parameters).

    The features of both sources are added, at every level. Each convolution has its batch norm. The published
    weights are two files, of the encoder and of the decoder.

    Args:
        shared_encoder: ``False`` gives the visible image layers of its own up to the sum (``vi``; 372,873 parameters),
            see :class:`metaloss_fusion.shared_encoder.SharedEncoder`.
    """

    encoder = ("cov1", "cov2", "cov3", "cov4")

    def __init__(self, *, shared_encoder: bool = True) -> None:
        super().__init__()
        self.cov1 = _layer("cov1", 1, WIDTH, first=1, learns_slope=True)  # a padding of its own is number 0
        self.cov2 = _layer("cov2", WIDTH, WIDTH, learns_slope=True)
        self.cov3 = _layer("cov3", WIDTH, WIDTH)
        self.cov4 = _layer("cov4", WIDTH, WIDTH)
        self.cov5 = _layer("cov5", 2 * WIDTH, WIDTH, learns_slope=True)
        self.cov6 = _layer("cov6", 2 * WIDTH, WIDTH, learns_slope=True)
        self.cov7 = _layer("cov7", 2 * WIDTH, 1, first=1)
        self.share_encoder(shared_encoder)

    def fused(self, ir: Tensor, vi: Tensor) -> Tensor:
        """Fuses two images of shape (B, 1, H, W)."""
        of_ir, of_vi = self.encoders()
        pairs = zip(_features(ir, *of_ir), _features(vi, *of_vi), strict=True)
        shallow, deep, background, detail = (a + b for a, b in pairs)
        x = _run(self.cov5, torch.cat((background, detail), 1))
        x = _run(self.cov6, torch.cat((x, deep), 1))
        return _run(self.cov7, torch.cat((x, shallow), 1), border="reflect").sigmoid()


def _features(x: Tensor, *layers: nn.Module) -> tuple[Tensor, ...]:
    first, second, base, edges = layers
    shallow = laid_out(_run(first, x, border="reflect"))
    deep = _run(second, shallow)
    return shallow, deep, _run(base, deep).tanh_(), _run(edges, deep).tanh_()


def _run(layer: nn.Module, x: Tensor, border: str = "zeros") -> Tensor:
    (parts,) = layer.children()  # within its name once more, as in the published file
    convolution, norm, *slope = parts.children()
    x = convolved(x, convolution, norm, border=border)
    return slope[0](x) if slope else x


def _layer(name: str, inputs: int, outputs: int, *, first: int = 0, learns_slope: bool = False) -> nn.ModuleDict:
    """A convolution, its norm and its PReLU, by the numbers that they have in the published file."""
    parts = [nn.Conv2d(inputs, outputs, 3), nn.BatchNorm2d(outputs), *([nn.PReLU()] if learns_slope else [])]
    return named(**{name: named(**{str(number): part for number, part in enumerate(parts, first)})})
