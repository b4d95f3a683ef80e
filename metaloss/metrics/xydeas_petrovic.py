"""Qabf: how much of the sources' edges the fused image keeps."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.images import Images, root
from metaloss.metrics.registry import fusion_metric

_STRENGTH = (0.9994, 15.0, 0.5)
_ANGLE = (0.9879, 22.0, 0.8)


@fusion_metric("Qabf", title="edge-based fusion quality", cls="Qabf")
def qabf(images: Images, rules: Convention) -> Tensor:
    r"""Qabf: the edge strength and direction that the fused image keeps of its sources; higher is better.

    With Sobel gradients of strength g and angle a,

    .. math::
        Q^{SF} = \frac{T_g}{1 + e^{k_g (G - D_g)}} \cdot \frac{T_a}{1 + e^{k_a (A - D_a)}}, \quad
        G = \frac{\min(g_S, g_F)}{\max(g_S, g_F)},\ A = 1 - \frac{|a_S - a_F|}{\pi / 2}

    and Qabf is the mean of all :math:`Q^{S_k F}`, weighted by :math:`g_{S_k}` (Xydeas and Petrovic,
    2000; Tg .9994, kg -15, Dg .5, Ta .9879, ka -22, Da .8). Where no source has an
    edge, all pixels weigh the same.

    Convention:
        zeros outside the image and :math:`a = \arctan(s_y / s_x)` as it is; ``clean``
        mirrors the border and takes angles modulo half a turn.

    Returns:
        0 to 0.975.
    """
    horizontal, vertical = images.sobel(rules.sobel_border)
    strength = root(horizontal.square() + vertical.square())
    upright = horizontal == 0
    angle = torch.atan(vertical / torch.where(upright, 1, horizontal)).masked_fill(upright, math.pi / 2)
    turn = (angle[1:] - angle[:1]).abs()
    if rules.wrapped_angle:
        turn = torch.minimum(turn, math.pi - turn)
    kept_strength = torch.minimum(strength[:1], strength[1:]) / torch.maximum(strength[:1], strength[1:])
    kept = _sigmoid(kept_strength, _STRENGTH) * _sigmoid(1 - turn / (math.pi / 2), _ANGLE)
    weights = strength[1:]
    return (kept * weights).sum((0, -2, -1)) / weights.sum((0, -2, -1))


def _sigmoid(values: Tensor, parameters: tuple[float, float, float]) -> Tensor:
    height, steepness, middle = parameters
    return height * torch.sigmoid(steepness * (values - middle))
