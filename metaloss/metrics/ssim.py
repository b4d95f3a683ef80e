"""SSIM and MS-SSIM: structural similarity with the sources."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.images import Images
from metaloss.metrics.registry import fusion_metric
from metaloss.metrics.windows import gaussian, uniform, window_moments

CONSTANTS = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_C1, _C2 = CONSTANTS
_EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WANG = gaussian(11, 1.5)


def _side(rules: Convention) -> int:
    return 7 if rules.ssim_window == "uniform7" else 11


@fusion_metric("SSIM", title="structural similarity", cls="StructuralSimilarity", min_side=_side)
def structural_similarity(images: Images, rules: Convention) -> Tensor:
    r"""SSIM: similarity of luminance, contrast and structure in small windows; higher is better.

    .. math::
        \frac{(2 \mu_F \mu_S + C_1)(2 \sigma_{FS} + C_2)}{(\mu_F^2 + \mu_S^2 + C_1)(\sigma_F^2 + \sigma_S^2 + C_2)}

    averaged over all windows that lie in the image, :math:`C_1 = (0.01 \cdot 255)^2`,
    :math:`C_2 = (0.03 \cdot 255)^2` (Wang et al., 2004).

    Convention:
        the mean over the sources, uniform 7x7 windows with sample covariances; ``cddfuse``
        sums; ``linfeng`` and ``vifb`` sum, with Gaussian 11x11 windows; ``clean`` averages, with
        those windows.

    Returns:
        at most 1 for a mean and n for a sum.
    """
    if rules.ssim_window == "uniform7":
        weights, correction = uniform(7), 49 / 48
    else:
        weights, correction = WANG, 1.0
    luminance, contrast = _terms(images.stack, weights, correction)
    return _over_sources((luminance * contrast).mean((-2, -1)), rules)


@fusion_metric(
    "MS-SSIM",
    title="multi-scale structural similarity",
    cls="MultiscaleStructuralSimilarity",
    min_side=176,  # what torchmetrics asks for: more than 10 pixels after four halvings
)
def multiscale_structural_similarity(images: Images, rules: Convention) -> Tensor:
    r"""MS-SSIM: SSIM's contrast and structure at five scales, its luminance at the last; higher is better.

    :math:`\prod_{j=1}^{5} \max(0, s_j)^{\beta_j}` with Gaussian 11x11 windows, means of 2x2 pixels from
    scale to scale and Wang's exponents (Wang, Simoncelli and Bovik, 2003), as torchmetrics has it. Not
    Ma's MEF-SSIM, which is another metric.

    Convention:
        the mean over the sources; ``cddfuse``, ``linfeng`` and ``vifb`` sum.

    Returns:
        0 to 1 for a mean, 0 to n for a sum.
    """
    stack, margin = images.stack, len(WANG) // 2
    product = stack.new_ones(())
    for exponent in _EXPONENTS[:-1]:
        _, contrast = _terms(stack, WANG)
        product = product * contrast.mean((-2, -1)).clamp_min(0) ** exponent
        stack = F.avg_pool2d(stack, 2)
    luminance, contrast = _terms(F.pad(stack, (margin,) * 4, mode="reflect"), WANG)
    product = product * (luminance * contrast).mean((-2, -1)).clamp_min(0) ** _EXPONENTS[-1]
    return _over_sources(product, rules)


def _terms(stack: Tensor, weights: Sequence[float], correction: float = 1.0) -> tuple[Tensor, Tensor]:
    means, variances, covariances = window_moments(stack, weights)
    squares = means.square()
    luminance = torch.addcmul(means.new_tensor(_C1), means[:1], means[1:], value=2) / (squares[:1] + squares[1:] + _C1)
    contrast = (2 * correction * covariances + _C2) / (correction * (variances[:1] + variances[1:]) + _C2)
    return luminance, contrast


def _over_sources(similarity: Tensor, rules: Convention) -> Tensor:
    return similarity.sum(0) if rules.similarity_over == "sum" else similarity.mean(0)
