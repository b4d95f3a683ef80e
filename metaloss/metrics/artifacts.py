"""Nabf: edges of the fused image that none of its sources has."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.images import Images, root
from metaloss.metrics.registry import fusion_metric

_STRENGTH = (0.9999, 19.0, 0.5)
_ANGLE = (0.9995, 22.0, 0.5)
# In grey levels per pixel: weaker edges have the smallest weight, others the power of their strength.
_EDGE, _SMALLEST_WEIGHT, _POWER = 2.0, 0.001, 1.5


@fusion_metric("Nabf", title="fusion artefacts", cls="Nabf", min_side=2, higher_is_better=False, optional=True)
def nabf(images: Images, rules: Convention) -> Tensor:
    r"""Nabf: how much of the fused image's edges is artefact; lower is better.

    With Sobel gradients of strength g, in grey levels per pixel, and angle a, each source's edges are
    preserved by

    .. math::
        Q_k = \sqrt{\frac{0.9999}{1 + e^{-19 (G_k - 0.5)}} \cdot \frac{0.9995}{1 + e^{-22 (A_k - 0.5)}}}, \quad
        G_k = \frac{\min(g_k, g_F)}{\max(g_k, g_F)},\ A_k = \frac{2}{\pi} \left| |a_k - a_F| - \frac{\pi}{2} \right|

    and weigh :math:`w_k = g_k^{1.5}` (0.001 below 2 grey levels per pixel). Where the fused image's edge
    is stronger than that of every source, what is not preserved is an artefact:

    .. math:: \frac{\sum_{g_F > \max g_k} \sum_k (1 - Q_k) w_k}{\sum \sum_k w_k}

    (Petrovic and Xydeas, 2005, in the form of Shreyamsha Kumar, 2013, that all evaluators report; theirs
    in between had :math:`(2 - Q_1 - Q_2)(w_1 + w_2)`). The border is mirrored at its pixels. Some
    evaluations feed [0, 1], where hardly an edge reaches 2 levels: their numbers are others.

    Returns:
        0 (equal images, a constant fused image) to 1.
    """
    # Quarters and eighths are exact, so that equal edges stay equal.
    horizontal, vertical = (derivative / 8 for derivative in images.sobel("mirrored"))
    squares = horizontal.square() + vertical.square()
    strength = root(squares)
    lying = vertical == 0
    # The paper's angle is that of the edge, with 0 where there is none.
    angle = torch.atan(horizontal / torch.where(lying, 1, vertical))
    angle = torch.where(lying, math.pi / 2 * horizontal.sign(), angle)
    ratio = torch.minimum(strength[:1], strength[1:]) / torch.maximum(strength[:1], strength[1:])
    ratio = torch.where((squares[:1] > 0) & (squares[1:] > 0), ratio, 0)
    alignment = ((angle[1:] - angle[:1]).abs() - math.pi / 2).abs() * (2 / math.pi)
    preserved = (_sigmoid(ratio, _STRENGTH) * _sigmoid(alignment, _ANGLE)).sqrt()
    weights = torch.where(strength[1:] >= _EDGE, strength[1:] ** _POWER, _SMALLEST_WEIGHT)
    new = squares[0] > squares[1:].amax(0)
    lost = torch.where(new, ((1 - preserved) * weights).sum(0), 0)
    return lost.sum((-2, -1)) / weights.sum((0, -2, -1))


def _sigmoid(values: Tensor, parameters: tuple[float, float, float]) -> Tensor:
    height, steepness, middle = parameters
    return height * torch.sigmoid(steepness * (values - middle))
