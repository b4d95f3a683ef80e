"""NMI, QNCIE and TE: what the fused image shares with its sources, by other measures than MI."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.histograms import LEVELS, alone, entropy_of, joint, joint_with_fused
from metaloss.metrics.images import Images
from metaloss.metrics.registry import fusion_metric

_TSALLIS_ORDER = 1.85


@fusion_metric(
    "NMI", title="normalized mutual information", cls="NormalizedMutualInformation", differentiable=False, optional=True
)
def normalized_mutual_information(images: Images, rules: Convention) -> Tensor:
    r"""NMI: the mutual information with each source, as a part of what there is; higher is better.

    :math:`\sum_k 2 \frac{H(F) + H(S_k) - H(F, S_k)}{H(F) + H(S_k)}` over 256 grey levels (Hossny,
    Nahavandi and Creighton, 2008, who correct Qu's MI for its preference of the source with more
    entropy). A pair of constant images shares nothing: 0. Not differentiable: it counts.

    Returns:
        0 to n.
    """
    entropies = entropy_of(images.shared(alone, stretch=False))
    together = entropy_of(images.shared(joint_with_fused, stretch=False, top=LEVELS - 1).flatten(-2))
    total = entropies[0] + entropies[1:]
    part = 2 * (total - together).clamp_min(0) / torch.where(total > 0, total, 1)
    return part.sum(0)


@fusion_metric(
    "QNCIE",
    title="nonlinear correlation information entropy",
    cls="NonlinearCorrelationInformationEntropy",
    differentiable=False,
    optional=True,
)
def nonlinear_correlation_information_entropy(images: Images, rules: Convention) -> Tensor:
    r"""QNCIE: how strongly the fused image and its sources depend on each other; higher is better.

    With the nonlinear correlation :math:`R_{ij} = H_i + H_j - H_{ij}` of each pair of the K = n + 1
    images (entropies over 256 levels, to the base 256; :math:`R_{ii} = 1`) and the eigenvalues
    :math:`\lambda_i` of R,

    .. math:: 1 + \sum_{i=1}^{K} \frac{\lambda_i}{K} \log_{256} \frac{\lambda_i}{K}

    (Wang, Shen and Zhang, 2005; Wang, Shen and Jin, 2008). It also counts what the sources share
    without the fused image. Where an eigenvalue is negative, which pairwise entropies do not exclude,
    it is taken as 0. Not differentiable: it counts.

    Returns:
        from :math:`1 - \log_{256} (n + 1)` (nothing shared; 0.802 for two sources) to 1.
    """
    # All values lie in a narrow band below 1: its digits are worth float64.
    entropies = entropy_of(images.shared(alone, stretch=False).double())
    with_fused = entropy_of(images.shared(joint_with_fused, stretch=False, top=LEVELS - 1).double().flatten(-2))
    size = len(images.stack)
    correlations = torch.ones(*entropies.shape[1:], size, size, dtype=torch.float64, device=entropies.device)
    for first, second in itertools.combinations(range(size), 2):
        if first == 0:
            together = with_fused[second - 1]
        else:
            together = entropy_of(joint(images, first, second, stretch=False, top=LEVELS - 1).double().flatten(-2))
        value = (entropies[first] + entropies[second] - together) / math.log(LEVELS)
        correlations[..., first, second] = correlations[..., second, first] = value
    shares = torch.linalg.eigvalsh(correlations).clamp_min(0) / size
    return (1 - entropy_of(shares) / math.log(LEVELS)).to(images.stack.dtype)


@fusion_metric(
    "TE", title="mutual information by Tsallis entropy", cls="TsallisEntropy", differentiable=False, optional=True
)
def tsallis_entropy(images: Images, rules: Convention) -> Tensor:
    r"""TE: the mutual information with the sources in Tsallis' sense, of order q = 1.85; higher is better.

    .. math::
        \sum_k \frac{1}{1 - q} \left( 1 - \sum_{i, j} \frac{p_{ij}^q}{(p_i p_j)^{q - 1}} \right)

    with the frequencies :math:`p_{ij}` of the source's level i and the fused image's level j (Cvejic,
    Canagarajah and Bull, 2006). Not differentiable: it counts. Nava's measure of the same name divides
    by what the sources have and takes q = 0.43137; it is another one.

    Convention:
        ``vifb`` stretches every image to 0-255 first, and its code takes the fused image's
        frequency for i and the source's for j, which makes the values many times larger.

    Returns:
        at least 0, 0 for independent or constant images; no upper bound (``vifb``: may be
        negative).
    """
    frequencies = images.shared(alone, stretch=rules.stretch)
    pairs = images.shared(joint_with_fused, stretch=rules.stretch, top=LEVELS - 1)
    of_fused, of_sources = frequencies[:1], frequencies[1:]
    rows, columns = (of_sources, of_fused) if rules.tsallis_marginals == "own" else (of_fused, of_sources)
    expected = rows[..., :, None] * columns[..., None, :]
    possible = expected > 0
    ratio = pairs**_TSALLIS_ORDER * torch.where(possible, expected, 1) ** (1 - _TSALLIS_ORDER)
    order = torch.where(possible, ratio, 0).sum((-2, -1))
    return ((1 - order) / (1 - _TSALLIS_ORDER)).sum(0)
