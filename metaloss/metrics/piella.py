"""Qs, Qw and Qe: the quality index with each source, weighted by where that source is salient."""

from __future__ import annotations

import torch
from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.edges import Border, derivatives
from metaloss.metrics.images import Images, root
from metaloss.metrics.quality_index import Windows
from metaloss.metrics.registry import fusion_metric
from metaloss.metrics.ssim import CONSTANTS, WANG
from metaloss.metrics.windows import uniform

_UNIVERSAL = uniform(8)


def _side(rules: Convention) -> int:
    return len(WANG if rules.quality_index == "ssim" else _UNIVERSAL)


@fusion_metric("Qs", title="quality index weighted by saliency", cls="Qs", min_side=_side, optional=True)
def qs(images: Images, rules: Convention) -> Tensor:
    r"""Qs: the quality index with the sources, each where it varies most; higher is better.

    In every window w, the indices Q0 of the fused image with each source are averaged with the sources'
    local variances as weights, :math:`\lambda_k = \sigma_k^2 / \sum \sigma^2`:

    .. math:: \frac{1}{|W|} \sum_w \sum_k \lambda_k(w)\, Q_0(S_k, F | w)

    (Piella and Heijmans, 2003). Q0 is Wang and Bovik's universal index, which is SSIM without constants, in
    windows of 8x8 pixels. Where all sources are flat they weigh the same, and the indices of two flat or
    two black windows are those of their limits.

    Convention:
        ``vifb`` takes SSIM for Q0, with its constants and Gaussian windows of 11x11.

    Returns:
        -1 to 1 (equal images).
    """
    quality, _ = _local(images, rules, edges=False)
    return quality.mean((-2, -1)).to(images.stack.dtype)


@fusion_metric("Qw", title="quality index of salient windows", cls="Qw", min_side=_side, optional=True)
def qw(images: Images, rules: Convention) -> Tensor:
    r"""Qw: Qs with more weight on the windows where a source is salient; higher is better.

    .. math:: \sum_w c(w) \sum_k \lambda_k(w)\, Q_0(S_k, F | w), \quad c(w) \propto \max_k \sigma_k^2(w)

    with :func:`~metaloss.metrics.qs`'s terms (Piella and Heijmans, 2003). Where all sources are flat
    everywhere, all windows weigh the same.

    Convention:
        ``vifb`` takes SSIM for Q0, with its constants and Gaussian windows of 11x11, and
        the images' Prewitt edges for the images, as the field's MATLAB code does under this name.

    Returns:
        -1 to 1 (equal images).
    """
    return _weighted(images, rules, edges=rules.weighted_quality_of == "edges")


@fusion_metric("Qe", title="quality index of salient windows and edges", cls="Qe", min_side=_side, optional=True)
def qe(images: Images, rules: Convention) -> Tensor:
    r"""Qe: Qw of the images, times Qw of their edges; higher is better.

    :math:`Q_w(S, F) \cdot Q_w(S', F')`, where S' and F' are the strengths of the Prewitt gradients (Piella
    and Heijmans, 2003, whose exponent of the edges' part is taken as 1).

    Convention:
        ``vifb`` takes SSIM for Q0, with its constants and Gaussian windows of 11x11; zeros
        outside the image, but ``clean`` repeats the border.

    Returns:
        -1 to 1 (equal images).
    """
    return _weighted(images, rules, edges=False) * _weighted(images, rules, edges=True)


def _weighted(images: Images, rules: Convention, *, edges: bool) -> Tensor:
    quality, weights = _local(images, rules, edges=edges)
    total = weights.sum((-2, -1))
    weighted = (weights * quality).sum((-2, -1)) / torch.where(total > 0, total, 1)
    return torch.where(total > 0, weighted, quality.mean((-2, -1))).to(images.stack.dtype)


def _local(images: Images, rules: Convention, *, edges: bool) -> tuple[Tensor, Tensor]:
    return images.shared(_quality_and_saliency, rules.quality_index == "ssim", rules.sobel_border if edges else None)


def _quality_and_saliency(images: Images, ssim: bool, edges: Border | None) -> tuple[Tensor, Tensor]:
    """The weighted index of every window, and the largest of the sources' variances, each of shape (B, h, w)."""
    stack = images.stack if edges is None else _strength(images.stack, edges)
    windows = Windows(stack, WANG, CONSTANTS) if ssim else Windows(stack, _UNIVERSAL)
    variances = windows.variances[1:]
    total = variances.sum(0)
    shares = torch.where(total > 0, variances / torch.where(total > 0, total, 1), 1 / len(variances))
    quality = sum(share * windows.pair(0, place)[0] for place, share in enumerate(shares, start=1))
    return torch.as_tensor(quality), variances.amax(0)


def _strength(stack: Tensor, border: Border) -> Tensor:
    horizontal, vertical = derivatives(stack, border, centre=1.0)
    return root(horizontal.square() + vertical.square())
