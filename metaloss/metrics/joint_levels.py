"""MI: what the histograms of the fused image and of the sources say of each other."""

from __future__ import annotations

import math

from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.histograms import LEVELS, entropy_of, frequencies, levels
from metaloss.metrics.images import Images
from metaloss.metrics.registry import fusion_metric


@fusion_metric("MI", title="mutual information", cls="MutualInformation", differentiable=False)
def mutual_information(images: Images, rules: Convention) -> Tensor:
    r"""MI: what the fused image's grey levels say about those of the sources; higher is better.

    :math:`\sum_k H(F) + H(S_k) - H(F, S_k)`, 256 levels each (Qu, Zhang and Yan, 2002). Not
    differentiable: it counts.

    Convention:
        ``cddfuse`` and ``vifb`` give nats; ``vifb`` stretches every image to 0-255 first;
        ``linfeng``'s joint histogram takes the levels 254 and 255 for one.

    Returns:
        in bits or nats, at least 0.
    """
    each = levels(images.stretched if rules.stretch else images.stack)
    alone = entropy_of(frequencies(each, LEVELS), images.stack.dtype)
    paired = each.clamp_max(LEVELS - 2) if rules.merge_top_levels else each
    joint = entropy_of(frequencies(paired[:1] * LEVELS + paired[1:], LEVELS**2), images.stack.dtype)
    nats = (alone[:1] + alone[1:] - joint).sum(0).clamp_min(0)
    return nats / math.log(2) if rules.information_unit == "bits" else nats
