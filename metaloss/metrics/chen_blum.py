"""Qcb: the contrast of the sources that the eye still finds in the fused image."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.images import Images
from metaloss.metrics.registry import fusion_metric
from metaloss.metrics.windows import window_means

# The contrast sensitivity's difference of Gaussians, in cycles per degree at 15 degrees per image.
_NARROW, _WIDE, _WEIGHT, _DEGREES = 15.3870, 1.3456, 0.7622, 15.0
_SIGMAS, _RADIUS = (2.0, 4.0), 15
_POWERS, _MASKED = (3, 2), 1e-4


@fusion_metric("Qcb", title="preserved visible contrast", cls="Qcb", optional=True)
def qcb(images: Images, rules: Convention) -> Tensor:
    r"""Qcb: how well the fused image preserves the sources' visible contrast; higher is better.

    All images are filtered by the eye's contrast sensitivity :math:`e^{-(r / f_0)^2} - a e^{-(r / f_1)^2}`,
    with r a fifteenth of the cycles per image, f0 15.387, f1 1.3456 and a 0.7622. Their local contrast
    :math:`C = |G_2 * I / G_4 * I - 1|` (Gaussians of sigma 2 and 4, windows of 31x31) is masked,
    :math:`C' = C^3 / (C^2 + 0.0001)`. Each source's is preserved by :math:`Q_k = \min(C'_k, C'_F) /
    \max(C'_k, C'_F)`, and the value is the mean over all pixels of :math:`\sum_k \lambda_k Q_k`,
    :math:`\lambda_k = C_k'^2 / \sum C'^2` (Chen and Blum, 2009, as the field's MATLAB code has it: zeros
    outside the image, Gaussians that are not normalised).

    Where two contrasts are 0, they are preserved; where no source has any, all weigh the same; where
    :math:`G_4 * I` is 0, the contrast is 0. The field's code gives NaN there.

    Convention:
        ``vifb`` stretches every image to 0-255 and rounds it first.

    Returns:
        0 to 1 (images that are equal).
    """
    contrasts = _masked(_contrast(_seen(images.stretched if rules.stretch else images.stack)))
    smaller, larger = torch.minimum(contrasts[:1], contrasts[1:]), torch.maximum(contrasts[:1], contrasts[1:])
    preserved = torch.where(larger > 0, smaller / torch.where(larger > 0, larger, 1), 1)
    # In units of the largest, so that the squares of small contrasts do not vanish.
    largest = contrasts[1:].amax(0, keepdim=True)
    saliency = torch.where(largest > 0, contrasts[1:] / torch.where(largest > 0, largest, 1), 1).square()
    return ((saliency * preserved).sum(0) / saliency.sum(0)).mean((-2, -1))


def _seen(stack: Tensor) -> Tensor:
    height, width = stack.shape[-2:]
    down = torch.fft.fftfreq(height, 1 / height, dtype=stack.dtype, device=stack.device)
    across = torch.fft.rfftfreq(width, 1 / width, dtype=stack.dtype, device=stack.device)
    frequency = torch.hypot(down[:, None], across) / _DEGREES
    sensitivity = torch.exp(-((frequency / _NARROW) ** 2)) - _WEIGHT * torch.exp(-((frequency / _WIDE) ** 2))
    seen: Tensor = torch.fft.irfft2(torch.fft.rfft2(stack) * sensitivity, s=(height, width))
    return seen


def _contrast(seen: Tensor) -> Tensor:
    padded = F.pad(seen, (_RADIUS,) * 4)
    fine, coarse = (torch.stack([window_means(image, _gaussian(sigma)) for image in padded]) for sigma in _SIGMAS)
    there = coarse != 0
    return torch.where(there, fine / torch.where(there, coarse, 1) - 1, 0).abs()


def _gaussian(sigma: float) -> list[float]:
    places = range(-_RADIUS, _RADIUS + 1)
    return [math.exp(-(place**2) / (2 * sigma**2)) / (math.sqrt(2 * math.pi) * sigma) for place in places]


def _masked(contrast: Tensor) -> Tensor:
    above, below = _POWERS
    return contrast**above / (contrast**below + _MASKED)
