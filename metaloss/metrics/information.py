"""EN and MI: what the histograms of the images say."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from metaloss.metrics.conventions import Convention
from metaloss.metrics.images import Images, check_number, per_image

_LEVELS = 256


def entropy(fused: Tensor, *, convention: str = "tdfusion") -> Tensor:
    r"""EN: the entropy of the fused image's grey levels; higher is better.

    :math:`-\sum_{i=0}^{255} p_i \log_2 p_i` over the rounded values (Roberts et al., 2008). Not
    differentiable: it counts.

    Args:
        fused: of shape (B, 1, H, W), 0-255.
        convention: all agree.

    Returns:
        Of shape (B,), in bits, 0 (a constant image) to 8.

    Raises:
        ConfigError: an unknown convention.
        DataError: values outside 0-255.
        ShapeError: another shape.
    """
    return per_image(compute_entropy, fused, (), convention)


def mutual_information(fused: Tensor, sources: Sequence[Tensor], *, convention: str = "tdfusion") -> Tensor:
    r"""MI: what the fused image's grey levels say about those of the sources; higher is better.

    :math:`\sum_k H(F) + H(S_k) - H(F, S_k)`, 256 levels each (Qu, Zhang and Yan, 2002). Not
    differentiable: it counts.

    Args:
        fused: of shape (B, 1, H, W), 0-255.
        sources: n >= 2 tensors of that shape.
        convention: ``cddfuse`` and ``vifb`` give nats; ``vifb`` stretches every image to 0-255 first;
            ``linfeng``'s joint histogram takes the levels 254 and 255 for one.

    Returns:
        Of shape (B,), in bits or nats, at least 0.

    Raises:
        ConfigError: an unknown convention.
        DataError: values outside 0-255.
        ShapeError: another shape, or fewer than two sources.
    """
    check_number(sources)
    return per_image(compute_mutual_information, fused, sources, convention)


def compute_entropy(images: Images, rules: Convention) -> Tensor:
    """EN of checked images, of shape (B,)."""
    return _entropy(_frequencies(_levels(images.fused), _LEVELS), images.stack.dtype) / math.log(2)


def compute_mutual_information(images: Images, rules: Convention) -> Tensor:
    """MI of checked images, of shape (B,)."""
    levels = _levels(images.stretched if rules.stretch else images.stack)
    alone = _entropy(_frequencies(levels, _LEVELS), images.stack.dtype)
    paired = levels.clamp_max(_LEVELS - 2) if rules.merge_top_levels else levels
    joint = _entropy(_frequencies(paired[:1] * _LEVELS + paired[1:], _LEVELS**2), images.stack.dtype)
    nats = (alone[:1] + alone[1:] - joint).sum(0).clamp_min(0)
    return nats / math.log(2) if rules.information_unit == "bits" else nats


def _levels(images: Tensor) -> Tensor:
    return images.detach().round().to(torch.int64)


def _frequencies(bins: Tensor, size: int) -> Tensor:
    """Relative frequencies, of shape (..., size), of the values below ``size`` in each map of (..., H, W)."""
    maps = bins.flatten(0, -3)
    first_bin = torch.arange(len(maps), device=bins.device).view(-1, 1, 1) * size
    counts = torch.bincount((maps + first_bin).flatten(), minlength=len(maps) * size)
    return counts.view(*bins.shape[:-2], size) / maps[0].numel()


def _entropy(frequencies: Tensor, dtype: torch.dtype) -> Tensor:
    probabilities = frequencies.to(dtype)
    return -torch.xlogy(probabilities, probabilities).sum(-1)
