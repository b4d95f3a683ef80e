"""What FMI compares of the images: gradients, edges, cosine and wavelet coefficients."""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from metaloss.metrics.edges import derivatives

_EDGE_SCALE = 4.0
# The low-pass filter of the discrete Meyer wavelet: its first half, and the middle. It begins with one more zero.
_MEYER_HALF = (
    *(-1.009999956941423e-12, 8.519459636796214e-09, -1.111944952595278e-08, -1.0798819539621958e-08),
    *(6.066975741351135e-08, -1.0866516536735883e-07, 8.200680650386481e-08, 1.1783004497663934e-07),
    *(-5.506340565252278e-07, 1.1307947017916706e-06, -1.489549216497156e-06, 7.367572885903746e-07),
    *(3.20544191334478e-06, -1.6312699734552807e-05, 6.554305930575149e-05, -0.0006011502343516092),
    *(-0.002704672124643725, 0.002202534100911002, 0.006045814097323304, -0.006387718318497156),
    *(-0.011061496392513451, 0.015270015130934803, 0.017423434103729693, -0.03213079399021176),
    *(-0.024348745906078023, 0.0637390243228016, 0.030655091960824263, -0.13284520043622938),
    *(-0.035087555656258346, 0.44459300275757724),
)
_MEYER_MIDDLE = 0.7445855923188063
_LOW_PASS = (0.0, *_MEYER_HALF, _MEYER_MIDDLE, *reversed(_MEYER_HALF))
_HIGH_PASS = tuple(value if place % 2 else -value for place, value in enumerate(reversed(_LOW_PASS)))
# The borders are mirrored once.
MEYER_SIDE = len(_LOW_PASS) - 1
# Coefficients of flat regions are rounding errors: to this many decimals they are equal.
_DECIMALS = 9


def gradient(images: Tensor) -> Tensor:
    """Horizontal central differences of images (..., H, W), one-sided at the border."""
    (across,) = torch.gradient(images, dim=-1)
    return across


def edge_map(images: Tensor) -> Tensor:
    """Marks Sobel edges: local maxima above twice the root mean square gradient, as MATLAB's ``edge`` does.

    Args:
        images: of shape (N, B, H, W).

    Returns:
        Of that shape, 0 and 1.
    """
    across, down = (derivative.abs() for derivative in derivatives(images, "symmetric"))
    squares = across.square() + down.square()
    strong = squares > _EDGE_SCALE * squares.double().mean((-2, -1), keepdim=True)
    around = F.pad(squares, (1, 1, 1, 1), mode="replicate")
    middle = around[..., 1:-1, 1:-1]
    across_peak = (around[..., 1:-1, :-2] <= middle) & (middle > around[..., 1:-1, 2:])
    down_peak = (around[..., :-2, 1:-1] <= middle) & (middle > around[..., 2:, 1:-1])
    return (strong & ((across >= down) & across_peak | (down >= across) & down_peak)).to(images.dtype)


def cosine_coefficients(images: Tensor) -> Tensor:
    """The orthonormal two-dimensional cosine transform (DCT-II) of whole images (..., H, W), in float64."""
    height, width = (_cosines(size).to(images.device) for size in images.shape[-2:])
    return (height @ images.double() @ width.T).round(decimals=_DECIMALS)


def wavelet_coefficients(images: Tensor) -> Tensor:
    """One level of the discrete Meyer wavelet of images, the four bands side by side.

    Args:
        images: of shape (..., H, W), at least 61x61 pixels.

    Returns:
        Of shape (..., 2 ((H + 61) // 2), 2 ((W + 61) // 2)), in float64: approximation and horizontal
        details above vertical and diagonal ones.
    """
    rows = [_band(images.double(), taps, -1) for taps in (_LOW_PASS, _HIGH_PASS)]
    bands = [torch.cat([_band(band, taps, -2) for taps in (_LOW_PASS, _HIGH_PASS)], dim=-1) for band in rows]
    return torch.cat(bands, dim=-2).round(decimals=_DECIMALS)


def _band(images: Tensor, taps: tuple[float, ...], dim: int) -> Tensor:
    """Every second value of the convolution of the images, whose borders are mirrored with their pixels."""
    length, margin = images.shape[dim], len(taps) - 1
    before, after = images.narrow(dim, 0, margin), images.narrow(dim, length - margin, margin)
    extended = torch.cat([before.flip(dim), images, after.flip(dim)], dim)
    # All shifts of the image as views, with the place along ``dim`` in the last axis.
    shifted = extended.movedim(dim, -1)
    width = 2 * ((length + margin) // 2)
    total = torch.zeros_like(shifted[..., 1 : width + 1 : 2])
    for shift, tap in enumerate(reversed(taps), start=1):
        total.add_(shifted[..., shift : shift + width : 2], alpha=tap)
    return total.movedim(-1, dim)


@functools.lru_cache(maxsize=8)
def _cosines(size: int) -> Tensor:
    places = torch.arange(size, dtype=torch.float64)
    matrix = torch.cos(math.pi / size * places[:, None] * (places + 0.5)) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix
