"""SD, SF and AG: how much contrast the fused image has, whatever its sources."""

from __future__ import annotations

import torch
from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.images import Images, root
from metaloss.metrics.registry import fusion_metric


@fusion_metric("SD", title="standard deviation", cls="StandardDeviation", needs_sources=False)
def standard_deviation(images: Images, rules: Convention) -> Tensor:
    r"""SD: the standard deviation of the fused image; higher is better.

    :math:`\sqrt{\frac{1}{MN} \sum (F - \bar F)^2}`, the population's (Rao, 1997).

    Returns:
        in grey levels, 0 to 127.5.
    """
    # From the first pixel, so that a constant image gives 0 and not the rounding of its mean.
    shifted = images.fused - images.fused[:, :1, :1]
    return root((shifted - shifted.mean((-2, -1), keepdim=True)).square().mean((-2, -1)))


@fusion_metric(
    "SF", title="spatial frequency", cls="SpatialFrequency", needs_sources=False, min_side=2, joins_bands=True
)
def spatial_frequency(images: Images, rules: Convention) -> Tensor:
    r"""SF: the root mean square of differences between neighbours; higher is better.

    :math:`\sqrt{\overline{\Delta_x F^2} + \overline{\Delta_y F^2}}` (Eskicioglu and Fisher, 1995).

    Convention:
        ``vifb`` divides both sums by M N, and takes an image of M x N pixels in colour for one of M x 3N
        in grey, red, green and blue side by side, their seams included; ``linfeng`` takes F/255.

    Returns:
        in grey levels (``linfeng``: in units of the whole range).
    """
    across, down = images.fused.diff(dim=-1).square(), images.fused.diff(dim=-2).square()
    if rules.spatial_frequency_by == "pixels":
        value = root((across.sum((-2, -1)) + down.sum((-2, -1))) / images.pixels)
    else:
        value = root(across.mean((-2, -1)) + down.mean((-2, -1)))
    return value / 255 if rules.unit_range else value


@fusion_metric("AG", title="average gradient", cls="AverageGradient", needs_sources=False, min_side=2)
def average_gradient(images: Images, rules: Convention) -> Tensor:
    r"""AG: the mean strength of the fused image's gradient; higher is better.

    :math:`\frac{1}{MN} \sum \sqrt{(g_x^2 + g_y^2) / 2}` with central differences, one-sided ones at
    the border (Cui et al., 2015).

    Convention:
        ``linfeng`` and ``vifb`` divide by (M - 1)(N - 1).

    Returns:
        in grey levels per pixel.
    """
    down, across = torch.gradient(images.fused, dim=(-2, -1))
    total = root((down.square() + across.square()) / 2).sum((-2, -1))
    height, width = images.fused.shape[-2:]
    return total / ((height - 1) * (width - 1) if rules.average_gradient_by == "intervals" else height * width)
