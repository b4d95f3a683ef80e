"""FMI: the mutual information of features in small windows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.features import MEYER_SIDE, cosine_coefficients, edge_map, gradient, wavelet_coefficients
from metaloss.metrics.images import Images
from metaloss.metrics.registry import fusion_metric

_SIDE = 3
_PIXELS = _SIDE**2
_CPU_WINDOWS = 8192


@fusion_metric(
    "FMI_pixel",
    title="feature mutual information of pixels",
    cls="FmiPixel",
    min_side=_SIDE,
    differentiable=False,
    optional=True,
)
def fmi_pixel(images: Images, rules: Convention) -> Tensor:
    r"""FMI_pixel: what windows of the fused image say about those of the sources; higher is better.

    Each window of 3x3 values, stretched to 0-1 and divided by its sum, is taken as the distribution of a
    position, column by column. Of two windows' distributions p and q, with their correlation c, the
    joint one is modelled as

    .. math:: \varphi\, M_{ij} + (1 - \varphi)\, p_i q_j, \quad \varphi = c / c_M

    with Frechet's upper bound M for positive and his lower for negative correlation, and its correlation of
    positions :math:`c_M`. The value is the mean over all windows and sources of
    :math:`2 (H_p + H_q - H_{pq}) / (H_p + H_q)`; equal windows have 1, and a flat one has nothing in
    common with another (Haghighat, Aghagolzadeh and Seyedarabi, 2011; Haghighat and Razian, 2014).

    Convention:
        ``linfeng`` and ``vifb`` take binary edges instead of the pixels (MATLAB's ``edge``: thinned
        Sobel), which is what their code does by default.

    Returns:
        0 to 1 (equal images).
    """
    return _information(edge_map(images.stack) if rules.pixel_features == "edges" else images.stack, images.stack.dtype)


@fusion_metric(
    "FMI_gradient",
    title="feature mutual information of gradients",
    cls="FmiGradient",
    min_side=_SIDE,
    differentiable=False,
    optional=True,
)
def fmi_gradient(images: Images, rules: Convention) -> Tensor:
    r"""FMI_gradient: FMI of the images' horizontal gradients; higher is better.

    :func:`~metaloss.metrics.fmi_pixel` on central differences along the rows (Haghighat, Aghagolzadeh and
    Seyedarabi, 2011, as their MATLAB code has it).

    Returns:
        0 to 1 (equal images).
    """
    return _information(gradient(images.stack), images.stack.dtype)


@fusion_metric(
    "FMI_dct",
    title="feature mutual information of cosine coefficients",
    cls="FmiDct",
    min_side=_SIDE,
    differentiable=False,
    optional=True,
)
def fmi_dct(images: Images, rules: Convention) -> Tensor:
    r"""FMI_dct: FMI of the images' cosine coefficients; higher is better.

    :func:`~metaloss.metrics.fmi_pixel` on the two-dimensional cosine transform of the whole image (Haghighat
    and Razian, 2014).

    Returns:
        0 to 1 (equal images).
    """
    return _information(cosine_coefficients(images.stack), images.stack.dtype)


@fusion_metric(
    "FMI_w",
    title="feature mutual information of wavelet coefficients",
    cls="FmiW",
    min_side=MEYER_SIDE,
    differentiable=False,
    optional=True,
)
def fmi_w(images: Images, rules: Convention) -> Tensor:
    r"""FMI_w: FMI of the images' wavelet coefficients; higher is better.

    :func:`~metaloss.metrics.fmi_pixel` on one level of the discrete Meyer wavelet (62 taps, mirrored borders),
    its four bands side by side (Haghighat and Razian, 2014).

    Returns:
        0 to 1 (equal images).
    """
    return _information(wavelet_coefficients(images.stack), images.stack.dtype)


def _information(features: Tensor, dtype: torch.dtype) -> Tensor:
    """FMI of features of shape (1 + n, B, h, w), at least 3x3."""
    windows = _windows(features.detach())
    # On a CPU so many windows at a time as stay in the cache: a third of the time.
    size = _CPU_WINDOWS if windows.device.type == "cpu" else windows.shape[-1]
    parts = []
    for part in windows.split(size, dim=-1):
        chances = _distributions(part).to(dtype)
        shared = torch.stack([_shared(chances[0], of_source) for of_source in chances[1:]])
        parts.append(torch.where((part[1:] == part[:1]).all(2), 1, shared))
    return torch.cat(parts, dim=-1).mean((0, -1))


def _windows(features: Tensor) -> Tensor:
    """All windows, of shape (1 + n, B, 9, h * w), column by column."""
    height, width = (size - _SIDE + 1 for size in features.shape[-2:])
    shifts = [(down, across) for across in range(_SIDE) for down in range(_SIDE)]
    return torch.stack([features[..., y : y + height, x : x + width] for y, x in shifts], dim=2).flatten(-2)


def _distributions(windows: Tensor) -> Tensor:
    low, high = windows.amin(2, keepdim=True), windows.amax(2, keepdim=True)
    flat = high == low
    unit = torch.where(flat, 1, (windows - low) / torch.where(flat, 1, high - low))
    return unit / unit.sum(2, keepdim=True)


def _shared(first: Tensor, second: Tensor) -> Tensor:
    """The information that two distributions of shape (B, 9, N) share, as a part of both, of shape (B, N)."""
    correlation = _correlation(first, second)
    sign = torch.where(correlation < 0, -1, 1).to(first.dtype)[:, None]
    # With v reversed for a negative correlation, max(0, u + v - 1) is u - min(u, 1 - v): one bound serves both.
    u, v = first.cumsum(1), F.pad(second.cumsum(1), (0, 0, 1, 0))
    v = torch.where(sign < 0, 1 - v, v)
    covariance = sum(torch.minimum(row[:, None], v[:, 1:]).sum(1) - row * v[:, 1:].sum(1) for row in u.unbind(1))
    spread = _spread(first) * _spread(second)
    # The bound's covariance vanishes with the spread of either window.
    defined = (spread > 0) & (covariance != 0)
    mixture = torch.where(defined, correlation.abs() * spread / torch.where(defined, covariance, 1), 0)[:, None]
    bounded, apart = sign * mixture, (1 - mixture) * second
    joint_entropy, smallest = torch.zeros_like(correlation), torch.finfo(first.dtype).tiny
    before = torch.zeros_like(v)
    for chance, row in zip(first.unbind(1), u.unbind(1), strict=True):
        bound = torch.minimum(row[:, None], v)
        joint = bounded * (bound - before).diff(dim=1) + chance[:, None] * apart
        # The model may leave 0-1 a little; the code takes the real part of the logarithm. (torch.xlogy is slower.)
        joint_entropy -= (joint * joint.abs().clamp_min(smallest).log()).sum(1)
        before = bound
    total = _entropy(first) + _entropy(second)
    return torch.where(total > 0, 2 * (total - joint_entropy) / torch.where(total > 0, total, 1), 0)


def _correlation(first: Tensor, second: Tensor) -> Tensor:
    first, second = first - 1 / _PIXELS, second - 1 / _PIXELS
    energy = first.square().sum(1) * second.square().sum(1)
    return torch.where(energy > 0, (first * second).sum(1) / torch.where(energy > 0, energy, 1).sqrt(), 0)


def _spread(chances: Tensor) -> Tensor:
    places = torch.arange(1, _PIXELS + 1, dtype=chances.dtype, device=chances.device).view(-1, 1)
    mean = (places * chances).sum(1, keepdim=True)
    return ((places - mean).square() * chances).sum(1).sqrt()


def _entropy(chances: Tensor) -> Tensor:
    return -torch.xlogy(chances, chances).sum(1)
