"""CC and SCD: linear correlation with the sources."""

from __future__ import annotations

import torch
from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.images import Images
from metaloss.metrics.registry import fusion_metric


@fusion_metric("CC", title="correlation coefficient", cls="CorrelationCoefficient")
def correlation_coefficient(images: Images, rules: Convention) -> Tensor:
    r"""CC: the mean correlation of the fused image with its sources; higher is better.

    :math:`\frac{1}{n} \sum_k r(F, S_k)`, with Pearson's r; r is defined as 0 where an image is constant.

    Returns:
        -1 to 1.
    """
    return _correlation(images.stack[:1], images.sources).mean(0)


@fusion_metric("SCD", title="sum of the correlations of differences", cls="SumOfCorrelationsOfDifferences")
def sum_of_correlations_of_differences(images: Images, rules: Convention) -> Tensor:
    r"""SCD: whether what each source added to the fused image looks like that source; higher is better.

    :math:`r(F - B, A) + r(F - A, B)` (Aslantas and Bendes, 2015). For more sources, each is compared
    with the fused image less the mean of the others. r is defined as 0 where an image or a difference
    is constant; elsewhere that gives NaN.

    Returns:
        -n to n.
    """
    sources = images.sources
    others = (sources.sum(0) - sources) / (len(sources) - 1)
    return _correlation(images.stack[:1] - others, sources).sum(0)


def _correlation(first: Tensor, second: Tensor) -> Tensor:
    # Not torchmetrics' Pearson: it takes a batch as columns, and gives NaN and a warning for constants.
    first, second = _centred(first), _centred(second)
    product = (first * second).sum((-2, -1))
    energy = first.square().sum((-2, -1)) * second.square().sum((-2, -1))
    return torch.where(energy > 0, product / torch.where(energy > 0, energy, 1).sqrt(), 0)


def _centred(images: Tensor) -> Tensor:
    # From the first pixel, so that a constant image becomes 0 and not the rounding of its mean.
    shifted = images - images[..., :1, :1]
    return shifted - shifted.mean((-2, -1), keepdim=True)
