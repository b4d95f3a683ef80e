"""CE: how far the fused image's grey levels are from those of the sources."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.histograms import alone
from metaloss.metrics.images import Images
from metaloss.metrics.registry import fusion_metric


@fusion_metric(
    "CE", title="cross entropy", cls="CrossEntropy", higher_is_better=False, differentiable=False, optional=True
)
def cross_entropy(images: Images, rules: Convention) -> Tensor:
    r"""CE: the divergence of the sources' grey levels from the fused image's; lower is better.

    :math:`\frac{1}{n} \sum_k \sum_i p_i(S_k) \log_2 \frac{p_i(S_k)}{p_i(F)}` over the 256 levels i
    (Bulanon, Burks and Alchanatis, 2009): in fact Kullback and Leibler's divergence. As every evaluator
    has it, levels that the source or the fused image lacks are left out; so a fused image that lacks a
    source's levels may even get a negative value. Not differentiable: it counts.

    Returns:
        in bits; 0 where the sources have the fused image's histogram, and where they have
        no level in common.
    """
    frequencies = images.shared(alone, stretch=False)
    of_fused, of_sources = frequencies[:1], frequencies[1:]
    both = (of_fused > 0) & (of_sources > 0)
    ratio = torch.where(both, of_sources, 1) / torch.where(both, of_fused, 1)
    return (of_sources * torch.log(ratio)).sum(-1).mean(0) / math.log(2)
