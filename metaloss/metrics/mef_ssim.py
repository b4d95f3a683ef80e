"""MEF-SSIM: structural similarity with the structure that the sources together ask for."""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.images import Images
from metaloss.metrics.registry import fusion_metric
from metaloss.metrics.ssim import CONSTANTS, WANG
from metaloss.metrics.windows import uniform, window_means

_SIDE = len(WANG)
_WINDOW = uniform(_SIDE)
_EXPONENTS = (0.0448, 0.2856, 0.3001)
_LARGEST_POWER, _SMALLEST_STRENGTH, _EPSILON = 10.0, 0.001, 2.0**-52
# What the metric's code asks for: the window's side after two halvings.
_LEAST = 4 * _SIDE


@fusion_metric(
    "MEF-SSIM", title="structural similarity with multiple exposures", cls="MefSsim", min_side=_LEAST, optional=True
)
def mef_ssim(images: Images, rules: Convention) -> Tensor:
    r"""MEF-SSIM: similarity with the contrast and structure that the sources together have; higher is better.

    In windows of 11x11 pixels, the sources less their means are patches :math:`c_k s_k` of strength
    :math:`c_k = \lVert x_k - \mu_k \rVert + 0.001` and structure :math:`s_k`. The wanted patch W has
    the largest strength and the direction of

    .. math::
        \sum_k w_k s_k, \quad w_k \propto (c_k / 11)^p, \quad p = \min \left( 10, \tan \frac{\pi R}{2} \right),
        \ R = \frac{\lVert \sum (x_k - \mu_k) \rVert}{\sum \lVert x_k - \mu_k \rVert}

    and is compared by :math:`(2 \sigma_{WF} + C) / (\sigma_W^2 + \sigma_F^2 + C)` under a Gaussian window of
    sigma 1.5, with :math:`C = (0.03 \cdot 255)^2`. The means over the windows at three scales (2x2 means
    between them) are multiplied with the exponents 0.0448, 0.2856 and 0.3001, divided by their sum (Ma, Zeng
    and Wang, 2015). Many evaluators print it as "MS_SSIM". Luminance does not count.

    Returns:
        0 to 1; equal images have 1.
    """
    # A shift is not seen, and float32 keeps more of the variances around 0.
    stack = images.stack - images.stack.mean((-2, -1), keepdim=True)
    product = stack.new_ones(())
    for scale, exponent in enumerate(_EXPONENTS):
        if scale > 0:
            height, width = stack.shape[-2:]
            stack = F.avg_pool2d(F.pad(stack, (0, width % 2, 0, height % 2), mode="replicate"), 2)
        similarity = _similarity(stack).mean((-2, -1))
        product = product * similarity.clamp_min(0) ** (exponent / sum(_EXPONENTS))
    return product


def _similarity(stack: Tensor) -> Tensor:
    """Similarity of the fused image's windows with the wanted patches, of shape (B, h, w)."""
    weights, strength = _wanted(_covariances(stack[1:], _WINDOW))
    seen = _covariances(stack, WANG)
    variance = _quadratic(seen[1:, 1:], weights)
    covariance = (seen[0, 1:] * weights).sum(0)
    _, constant = CONSTANTS
    return (2 * strength * covariance + constant) / (strength.square() * variance + seen[0, 0] + constant)


def _wanted(covariances: Tensor) -> tuple[Tensor, Tensor]:
    """The wanted patch: the sources' weights, of shape (n, B, h, w), and what brings their sum to its strength."""
    norms = _SIDE * torch.stack([covariances[place, place] for place in range(len(covariances))]).sqrt()
    together = _SIDE * covariances.sum((0, 1)).clamp_min(0).sqrt()
    alignment = (together + _EPSILON) / (norms.sum(0) + _EPSILON)
    # The power is the largest from an angle of 1.47 on; beyond a right angle the tangent would be negative.
    power = torch.tan((math.pi / 2 * alignment).clamp_max(1.5)).clamp_max(_LARGEST_POWER)
    strengths = norms + _SMALLEST_STRENGTH
    shares = (strengths / _SIDE) ** power + _EPSILON
    weights = shares / shares.sum(0) / strengths
    length = _SIDE * _quadratic(covariances, weights).clamp_min(0).sqrt()
    strength = torch.where(length > 0, strengths.amax(0) / torch.where(length > 0, length, 1), 0)
    return weights, strength


def _quadratic(covariances: Tensor, weights: Tensor) -> Tensor:
    return (covariances * weights[:, None] * weights[None]).sum((0, 1))


def _covariances(stack: Tensor, weights: tuple[float, ...]) -> Tensor:
    """Local covariances of all pairs of images, of shape (K, K, B, h, w)."""
    size = len(stack)
    means = [window_means(image, weights) for image in stack]
    rows: list[list[Tensor]] = [[means[0]] * size for _ in range(size)]
    for first, second in itertools.combinations_with_replacement(range(size), 2):
        value = window_means(stack[first] * stack[second], weights) - means[first] * means[second]
        value = value.clamp_min(0) if first == second else value
        rows[first][second] = rows[second][first] = value
    return torch.stack([torch.stack(row) for row in rows])
