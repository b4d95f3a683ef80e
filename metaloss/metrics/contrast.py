"""SD, SF and AG: how much contrast the fused image has, whatever its sources."""

from __future__ import annotations

import torch
from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.images import Images, per_image, root


def standard_deviation(fused: Tensor, *, convention: str = "tdfusion") -> Tensor:
    r"""SD: the standard deviation of the fused image; higher is better.

    :math:`\sqrt{\frac{1}{MN} \sum (F - \bar F)^2}`, the population's (Rao, 1997).

    Args:
        fused: of shape (B, 1, H, W), 0-255.
        convention: all agree.

    Returns:
        Of shape (B,), in grey levels, 0 to 127.5.

    Raises:
        ConfigError: an unknown convention.
        DataError: values outside 0-255.
        ShapeError: another shape.
    """
    return per_image(compute_standard_deviation, fused, (), convention)


def spatial_frequency(fused: Tensor, *, convention: str = "tdfusion") -> Tensor:
    r"""SF: the root mean square of differences between neighbours; higher is better.

    :math:`\sqrt{\overline{\Delta_x F^2} + \overline{\Delta_y F^2}}` (Eskicioglu and Fisher, 1995).

    Args:
        fused: of shape (B, 1, H, W), 0-255, at least 2x2 pixels.
        convention: ``vifb`` divides both sums by M N; ``linfeng`` takes F/255.

    Returns:
        Of shape (B,), in grey levels (``linfeng``: in units of the whole range).

    Raises:
        ConfigError: an unknown convention.
        DataError: values outside 0-255.
        ShapeError: another shape, or an image smaller than 2x2.
    """
    return per_image(compute_spatial_frequency, fused, (), convention)


def average_gradient(fused: Tensor, *, convention: str = "tdfusion") -> Tensor:
    r"""AG: the mean strength of the fused image's gradient; higher is better.

    :math:`\frac{1}{MN} \sum \sqrt{(g_x^2 + g_y^2) / 2}` with central differences, one-sided ones at
    the border (Cui et al., 2015).

    Args:
        fused: of shape (B, 1, H, W), 0-255, at least 2x2 pixels.
        convention: ``linfeng`` and ``vifb`` divide by (M - 1)(N - 1).

    Returns:
        Of shape (B,), in grey levels per pixel.

    Raises:
        ConfigError: an unknown convention.
        DataError: values outside 0-255.
        ShapeError: another shape, or an image smaller than 2x2.
    """
    return per_image(compute_average_gradient, fused, (), convention)


def compute_standard_deviation(images: Images, rules: Convention) -> Tensor:
    """SD of checked images, of shape (B,)."""
    # From the first pixel, so that a constant image gives 0 and not the rounding of its mean.
    shifted = images.fused - images.fused[:, :1, :1]
    return root((shifted - shifted.mean((-2, -1), keepdim=True)).square().mean((-2, -1)))


def compute_spatial_frequency(images: Images, rules: Convention) -> Tensor:
    """SF of checked images, of shape (B,)."""
    images.require_side(2, "SF")
    across, down = images.fused.diff(dim=-1).square(), images.fused.diff(dim=-2).square()
    if rules.spatial_frequency_by == "pixels":
        value = root((across.sum((-2, -1)) + down.sum((-2, -1))) / images.pixels)
    else:
        value = root(across.mean((-2, -1)) + down.mean((-2, -1)))
    return value / 255 if rules.unit_range else value


def compute_average_gradient(images: Images, rules: Convention) -> Tensor:
    """AG of checked images, of shape (B,)."""
    images.require_side(2, "AG")
    down, across = torch.gradient(images.fused, dim=(-2, -1))
    total = root((down.square() + across.square()) / 2).sum((-2, -1))
    height, width = images.fused.shape[-2:]
    return total / ((height - 1) * (width - 1) if rules.average_gradient_by == "intervals" else height * width)
