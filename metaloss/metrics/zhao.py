"""Qp: how much of the sources' edges and corners, seen as phase congruency, the fused image keeps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.images import Images, root
from metaloss.metrics.phase_congruency import phase_congruency
from metaloss.metrics.registry import fusion_metric
from metaloss.metrics.ssim import WANG
from metaloss.metrics.windows import window_means

_FEATURE = 0.1
_CONSTANT = 1e-4


@fusion_metric("Qp", title="preserved phase congruency", cls="Qp", min_side=2, optional=True)
def qp(images: Images, rules: Convention) -> Tensor:
    r"""Qp: the local correlation of the sources' phase congruency with the fused image's; higher is better.

    The product of three parts, for the congruency p and its largest and smallest moment over the
    orientations (of edges and corners). Each is the mean, over all pixels where a source has a feature
    (p > 0.1), of the largest of the correlations

    .. math:: \frac{\sigma_{kF} + C}{\sqrt{\sigma_k^2 \sigma_F^2} + C}, \quad C = 0.0001

    of the fused image's map with each source's and with that of the source whose p is larger, pixel by
    pixel, in Gaussian windows of 11x11 pixels with zeros outside the image (Zhao, Laganiere and Liu, 2007,
    with Kovesi's phase congruency of 2005). The sources' maps are 0 where they have no feature, and so are
    the correlations. Where no source has any, there is nothing to lose: 1.

    Returns:
        usually 0 to 1; about 1 for equal images, whose map alone is not cleared.
    """
    maps = phase_congruency(images.stack)
    of_fused, of_sources = maps[:, :1], maps[:, 1:]
    best = of_sources[:1].argmax(1, keepdim=True)
    strongest = of_sources.gather(1, best.expand(len(maps), -1, -1, -1, -1))
    candidates = torch.cat([of_sources, strongest], dim=1)
    there = candidates[0] > _FEATURE
    correlation = torch.where(there, _correlation(candidates * there, of_fused), 0).amax(1)
    number = there[-1].sum((-2, -1))
    parts = correlation.sum((-2, -1)) / number.clamp_min(1)
    return torch.where(number > 0, parts.prod(0), 1)


def _correlation(maps: Tensor, of_fused: Tensor) -> Tensor:
    means, mean = _means(maps), _means(of_fused)
    covariances = _means(maps * of_fused) - means * mean
    variances, variance = _means(maps.square()) - means.square(), _means(of_fused.square()) - mean.square()
    return (covariances + _CONSTANT) / (root((variances * variance).abs()) + _CONSTANT)


def _means(maps: Tensor) -> Tensor:
    padded = F.pad(maps, (len(WANG) // 2,) * 4)
    return torch.stack([torch.stack([window_means(image, WANG) for image in part]) for part in padded])
