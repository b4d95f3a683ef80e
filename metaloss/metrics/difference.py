"""MSE, PSNR and RMSE: how far the fused image is from its sources."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.images import Images, root
from metaloss.metrics.registry import fusion_metric


@fusion_metric("MSE", title="mean squared error", cls="MeanSquaredError", higher_is_better=False)
def mean_squared_error(images: Images, rules: Convention) -> Tensor:
    r"""MSE: the mean squared difference from the sources; lower is better.

    :math:`\frac{1}{n} \sum_k \overline{(F - S_k)^2}`.

    Convention:
        ``linfeng`` divides the images by 255.

    Returns:
        in squared grey levels (``linfeng``: 0 to 1).
    """
    return _squared_error(images, rules)


@fusion_metric("PSNR", title="peak signal-to-noise ratio", cls="PeakSignalNoiseRatio")
def peak_signal_noise_ratio(images: Images, rules: Convention) -> Tensor:
    r"""PSNR: the mean squared error on a logarithmic scale; higher is better.

    :math:`10 \log_{10} (255^2 / \mathrm{MSE})`, with the MSE over all sources; not the mean of the
    sources' ratios, which is what torchmetrics' PSNR would give.

    Convention:
        ``linfeng`` takes the MSE on [0, 1] but 255 as the peak: 48.13 dB more; ``cddfuse``
        takes the largest value of the fused image as the peak; ``vifb`` takes
        :math:`\lVert F - S_k \rVert_2 / (MN)` for the error.

    Returns:
        in decibels; infinite where all images are equal.
    """
    if rules.psnr_error == "norm per pixel":
        error = _norms(images).mean(0) / images.pixels
    else:
        error = _squared_error(images, rules)
    # A black fused image has a peak of 0: -inf by the formula, which no mean survives.
    peak = images.fused.amax((-2, -1)).clamp_min(1) if rules.peak == "fused maximum" else 255.0
    decibels = 10 / math.log(10)
    return decibels * (2 * torch.log(torch.as_tensor(peak, dtype=error.dtype, device=error.device)) - torch.log(error))


@fusion_metric(
    "RMSE", title="root mean squared error", cls="RootMeanSquaredError", higher_is_better=False, optional=True
)
def root_mean_squared_error(images: Images, rules: Convention) -> Tensor:
    r"""RMSE: the root mean squared difference from the sources; lower is better.

    :math:`\frac{1}{n} \sum_k \sqrt{\overline{(F - S_k)^2}}` (Jagalingam and Hegde, 2015): the mean of the
    sources' roots, not the root of :func:`~metaloss.metrics.mean_squared_error`.

    Convention:
        ``linfeng`` divides the images by 255, as for MSE; ``vifb`` takes
        :math:`\lVert F - S_k \rVert_2 / (MN)`, which is smaller by :math:`\sqrt{MN}`.

    Returns:
        in grey levels (``linfeng``: 0 to 1).
    """
    norms = _norms(images).mean(0)
    if rules.psnr_error == "norm per pixel":
        return norms / images.pixels
    error = norms / math.sqrt(images.pixels)
    return error / 255 if rules.unit_range else error


def _squared_error(images: Images, rules: Convention) -> Tensor:
    error = (images.sources - images.fused).square().mean((0, -2, -1))
    return error / 255**2 if rules.unit_range else error


def _norms(images: Images) -> Tensor:
    squares = (images.sources - images.fused).square().sum((-2, -1))
    return torch.where(squares > 0, root(squares), 0)
