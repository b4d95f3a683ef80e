"""EN: what the histogram of the fused image says."""

from __future__ import annotations

import math

from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.histograms import LEVELS, entropy_of, frequencies, levels
from metaloss.metrics.images import Images
from metaloss.metrics.registry import fusion_metric


@fusion_metric("EN", title="entropy", cls="Entropy", needs_sources=False, differentiable=False)
def entropy(images: Images, rules: Convention) -> Tensor:
    r"""EN: the entropy of the fused image's 256 grey levels; higher is better.

    :math:`-\sum_{i=0}^{255} p_i \log_2 p_i` over the rounded values (Roberts et al., 2008). Not
    differentiable: it counts.

    Returns:
        in bits, 0 (a constant image) to 8.
    """
    return entropy_of(frequencies(levels(images.fused), LEVELS, images.stack.dtype)) / math.log(2)
