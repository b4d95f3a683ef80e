"""MSE and PSNR: how far the fused image is from its sources."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.images import Images, check_number, per_image, root


def mean_squared_error(fused: Tensor, sources: Sequence[Tensor], *, convention: str = "tdfusion") -> Tensor:
    r"""MSE: the mean squared difference from the sources; lower is better.

    :math:`\frac{1}{n} \sum_k \overline{(F - S_k)^2}`.

    Args:
        fused: of shape (B, 1, H, W), 0-255.
        sources: n >= 2 tensors of that shape.
        convention: ``linfeng`` divides the images by 255.

    Returns:
        Of shape (B,), in squared grey levels (``linfeng``: 0 to 1).

    Raises:
        ConfigError: an unknown convention.
        DataError: values outside 0-255.
        ShapeError: another shape, or fewer than two sources.
    """
    check_number(sources)
    return per_image(compute_mean_squared_error, fused, sources, convention)


def peak_signal_noise_ratio(fused: Tensor, sources: Sequence[Tensor], *, convention: str = "tdfusion") -> Tensor:
    r"""PSNR: the mean squared error on a logarithmic scale; higher is better.

    :math:`10 \log_{10} (255^2 / \mathrm{MSE})`, with the MSE over all sources; not the mean of the
    sources' ratios, which is what torchmetrics' PSNR would give.

    Args:
        fused: of shape (B, 1, H, W), 0-255.
        sources: n >= 2 tensors of that shape.
        convention: ``linfeng`` takes the MSE on [0, 1] but 255 as the peak: 48.13 dB more; ``cddfuse``
            takes the largest value of the fused image as the peak; ``vifb`` takes
            :math:`\lVert F - S_k \rVert_2 / (MN)` for the error.

    Returns:
        Of shape (B,), in decibels; infinite where all images are equal.

    Raises:
        ConfigError: an unknown convention.
        DataError: values outside 0-255.
        ShapeError: another shape, or fewer than two sources.
    """
    check_number(sources)
    return per_image(compute_peak_signal_noise_ratio, fused, sources, convention)


def compute_mean_squared_error(images: Images, rules: Convention) -> Tensor:
    """MSE of checked images, of shape (B,)."""
    error = (images.sources - images.fused).square().mean((0, -2, -1))
    return error / 255**2 if rules.unit_range else error


def compute_peak_signal_noise_ratio(images: Images, rules: Convention) -> Tensor:
    """PSNR of checked images, of shape (B,)."""
    if rules.psnr_error == "norm per pixel":
        squares = (images.sources - images.fused).square().sum((-2, -1))
        error = torch.where(squares > 0, root(squares), 0).mean(0) / images.pixels
    else:
        error = compute_mean_squared_error(images, rules)
    # A black fused image has a peak of 0: -inf by the formula, which no mean survives.
    peak = images.fused.amax((-2, -1)).clamp_min(1) if rules.peak == "fused maximum" else 255.0
    decibels = 10 / math.log(10)
    return decibels * (2 * torch.log(torch.as_tensor(peak, dtype=error.dtype, device=error.device)) - torch.log(error))


def root_mean_squared_error(images: Images, rules: Convention) -> Tensor:
    r"""RMSE: the root mean squared difference from the sources; lower is better.

    :math:`\frac{1}{n} \sum_k \sqrt{\overline{(F - S_k)^2}}` (Jagalingam and Hegde, 2015): the mean of the
    sources' roots, not the root of :func:`~metaloss.metrics.mean_squared_error`.

    Args:
        fused: of shape (B, 1, H, W), 0-255.
        sources: n >= 2 tensors of that shape.
        convention: ``linfeng`` divides the images by 255, as for MSE; ``vifb`` takes
            :math:`\lVert F - S_k \rVert_2 / (MN)`, which is smaller by :math:`\sqrt{MN}`.

    Returns:
        Of shape (B,), in grey levels (``linfeng``: 0 to 1).
    """
    squares = (images.sources - images.fused).square().sum((-2, -1))
    norms = torch.where(squares > 0, root(squares), 0).mean(0)
    if rules.psnr_error == "norm per pixel":
        return norms / images.pixels
    error = norms / math.sqrt(images.pixels)
    return error / 255 if rules.unit_range else error
