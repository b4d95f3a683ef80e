"""Qcv: the difference that a viewer would notice, where the sources have salient edges."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.images import Images
from metaloss.metrics.registry import fusion_metric

_BLOCK = 16
_SALIENCY_POWER = 5


@fusion_metric("Qcv", title="perceived difference in salient regions", cls="Qcv", higher_is_better=False)
def qcv(images: Images, rules: Convention) -> Tensor:
    r"""Qcv: the perceived difference from the sources in salient regions; lower is better.

    The differences :math:`S_k - F` are filtered by the eye's contrast sensitivity (Mannos and Sakrison),
    :math:`2.6 (0.0192 + 0.144 r) e^{-(0.144 r)^{1.1}}` with r a quarter of the cycles per image; their
    mean squares D in blocks of 16x16 pixels are averaged with the blocks' saliency
    :math:`\lambda = \sum g^5` (Sobel strength g) as weights:
    :math:`\sum \lambda_k D_k / \sum \lambda_k` (Chen and Varshney, 2007, as the field's MATLAB code has
    it: blocks that stick out of the image are filled with zeros). Where no source has an edge, all
    blocks weigh the same.

    Convention:
        zeros outside the image; ``clean`` mirrors the border, which else counts as the
        most salient edge; ``vifb`` stretches every image to 0-255 and rounds it first.

    Returns:
        in squared grey levels, at least 0.
    """
    stack = images.stretched if rules.stretch else images.stack
    horizontal, vertical = images.sobel(rules.sobel_border, stretch=rules.stretch)
    # Only ratios of saliencies count: in units of the range, their fifth powers stay far from overflow.
    squares = (horizontal[1:].square() + vertical[1:].square()) / 255**2
    saliency = _block_means(squares ** (_SALIENCY_POWER / 2))
    differences = stack[1:] - stack[0]
    size = (differences.shape[-2], differences.shape[-1])
    seen = torch.fft.irfft2(torch.fft.rfft2(differences) * _contrast_sensitivity(*size, differences), s=size)
    noticed = _block_means(seen.square())
    blocks = (0, -2, -1)
    total = saliency.sum(blocks)
    weighted = (saliency * noticed).sum(blocks) / torch.where(total > 0, total, 1)
    return torch.where(total > 0, weighted, noticed.mean(blocks))


def _block_means(maps: Tensor) -> Tensor:
    height, width = maps.shape[-2:]
    return F.avg_pool2d(F.pad(maps, (0, -width % _BLOCK, 0, -height % _BLOCK)), _BLOCK)


def _contrast_sensitivity(height: int, width: int, like: Tensor) -> Tensor:
    down = torch.fft.fftfreq(height, 1 / height, dtype=like.dtype, device=like.device) / 4
    across = torch.fft.rfftfreq(width, 1 / width, dtype=like.dtype, device=like.device) / 4
    scaled = 0.144 * torch.hypot(down[:, None], across)
    return 2.6 * (0.0192 + scaled) * torch.exp(-(scaled**1.1))
