"""VIF: visual information fidelity in the pixel domain."""

from __future__ import annotations

import torch
from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.images import Images
from metaloss.metrics.registry import fusion_metric
from metaloss.metrics.windows import gaussian, window_means, window_moments

_NOISE = 2.0
_EPSILON = 1e-10
_SCALES = 4


@fusion_metric("VIF", title="visual information fidelity", cls="VisualInformationFidelity", min_side=41)
def visual_information_fidelity(images: Images, rules: Convention) -> Tensor:
    r"""VIF: how much of the sources' information the eye still finds in the fused image; higher is better.

    The pixel-domain form (VIFp) of Sheikh and Bovik (2006), over four scales with Gaussian windows of
    17, 9, 5 and 3 pixels (sigma a fifth of that), valid convolution and :math:`\sigma_n^2 = 2`:

    .. math::
        \mathrm{VIF}(S, F) = \frac{\sum \log (1 + g^2 \sigma_S^2 / (\sigma_v^2 + \sigma_n^2))}
                                  {\sum \log (1 + \sigma_S^2 / \sigma_n^2)},
        \quad g = \sigma_{SF} / \sigma_S^2,\ \sigma_v^2 = \sigma_F^2 - g \sigma_{SF}

    A constant source has no information to lose: its value is defined as 1.

    Convention:
        the mean over the sources; ``cddfuse``, ``linfeng`` and ``vifb`` sum.

    Returns:
        at least 0; above 1 (a mean) where the fused image has more contrast.
    """
    # Variances do not see the shift, and float32 keeps four times more of them around 0.
    low, high = images.stack.amin((-2, -1), keepdim=True), images.stack.amax((-2, -1), keepdim=True)
    stack = images.stack - (low + high).detach() / 2
    kept, all_there = stack.new_zeros(()), stack.new_zeros(())
    for scale in range(_SCALES):
        size = 2 ** (_SCALES - scale) + 1
        weights = gaussian(size, size / 5)
        if scale > 0:
            stack = window_means(stack, weights)[..., ::2, ::2]
        _, variances, covariances = window_moments(stack, weights)
        of_fused, of_sources = variances[:1], variances[1:]
        # Where the covariance is negative, or a source is flat, nothing is kept.
        flat = of_sources < _EPSILON
        gain = torch.where(flat, 0, covariances.clamp_min(0) / (of_sources + _EPSILON))
        rest = (of_fused - gain * covariances).clamp_min(_EPSILON)
        kept = kept + torch.log1p(gain.square() * of_sources / (rest + _NOISE)).sum((-2, -1))
        all_there = all_there + torch.log1p(torch.where(flat, 0, of_sources) / _NOISE).sum((-2, -1))
    there = all_there > 0
    fidelity = torch.where(there, kept / torch.where(there, all_there, 1), 1)
    return fidelity.sum(0) if rules.similarity_over == "sum" else fidelity.mean(0)
