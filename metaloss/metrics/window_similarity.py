"""Qy and Qc: the quality index with the source that a window of the fused image resembles."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.images import Images
from metaloss.metrics.quality_index import Windows
from metaloss.metrics.registry import fusion_metric
from metaloss.metrics.windows import gaussian

_WINDOW = gaussian(7, 1.5)
_ALIKE = 0.75


@fusion_metric("Qy", title="similarity with the source that is alike", cls="Qy", min_side=len(_WINDOW), optional=True)
def qy(images: Images, rules: Convention) -> Tensor:
    r"""Qy: structural similarity with both sources where they are alike, else with the better one; higher is better.

    In every window, with Q the quality index (SSIM without constants) and variances for weights,

    .. math::
        \begin{cases}
        \sum_k \frac{\sigma_k^2}{\sum \sigma^2}\, Q(S_k, F) & \text{where } Q(S_1, S_2) \ge 0.75 \\
        \max_k Q(S_k, F) & \text{elsewhere}
        \end{cases}

    and the mean over all windows that lie in the image (Yang et al., 2008, with the Gaussian windows of 7x7
    pixels, sigma 1.5, of the field's MATLAB code). More than two sources are alike where all pairs are.
    Where all sources are flat they weigh the same; elsewhere that gives NaN, or noise.

    Returns:
        -1 to 1 (equal images).
    """
    windows = images.shared(_windows)
    places = range(1, len(images.stack))
    similarity = torch.stack([windows.pair(0, place)[0] for place in places])
    between = torch.stack([windows.pair(*pair)[0] for pair in itertools.combinations(places, 2)])
    shares = _shares(windows.variances[1:])
    local = torch.where((between >= _ALIKE).all(0), (shares * similarity).sum(0), similarity.amax(0))
    return local.mean((-2, -1)).to(images.stack.dtype)


@fusion_metric("Qc", title="quality index weighted by covariance", cls="Qc", min_side=len(_WINDOW), optional=True)
def qc(images: Images, rules: Convention) -> Tensor:
    r"""Qc: the quality index with each source, weighted by how the fused image varies with it; higher is better.

    .. math::
        \frac{1}{|W|} \sum_w \sum_k c_k(w)\, Q(S_k, F | w), \quad
        c_k = \min \left( 1, \max \left( 0, \frac{\sigma_{kF}}{\sum \sigma_{kF}} \right) \right)

    with the quality index Q (SSIM without constants) and local covariances (Cvejic, Loza, Bull and
    Canagarajah, 2005, with the Gaussian windows of 7x7 pixels, sigma 1.5, of the field's MATLAB code). For
    more than two sources, the clipped weights are divided by their sum. Where the covariances add up to
    0, the sources weigh the same.

    The field's code puts 0 or 1 in the place of the whole term where a weight is clipped, so that the value
    changes with the order of the sources; that is not offered.

    Returns:
        -1 to 1 (equal images).
    """
    windows = images.shared(_windows)
    pairs = [windows.pair(0, place) for place in range(1, len(images.stack))]
    similarity, covariances = (torch.stack(maps) for maps in zip(*pairs, strict=True))
    weights = _shares(covariances).clamp(0, 1)
    local = (weights * similarity).sum(0) / weights.sum(0)
    return local.mean((-2, -1)).to(images.stack.dtype)


def _windows(images: Images) -> Windows:
    return Windows(images.stack, _WINDOW)


def _shares(amounts: Tensor) -> Tensor:
    total = amounts.sum(0)
    return torch.where(total != 0, amounts / torch.where(total != 0, total, 1), 1 / len(amounts))
