"""MI: what the histograms of the fused image and of the sources say of each other."""

from __future__ import annotations

import math

from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.histograms import LEVELS, alone, entropy_of, joint_with_fused
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
    each = entropy_of(images.shared(alone, stretch=rules.stretch))
    top = LEVELS - 2 if rules.merge_top_levels else LEVELS - 1
    together = entropy_of(images.shared(joint_with_fused, stretch=rules.stretch, top=top).flatten(-2))
    nats = (each[:1] + each[1:] - together).sum(0).clamp_min(0)
    return nats / math.log(2) if rules.information_unit == "bits" else nats
