"""All fusion metrics by their short names, and their evaluation side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from metaloss.errors import ConfigError, nearest
from metaloss.metrics.chen_varshney import compute_qcv, qcv
from metaloss.metrics.contrast import (
    average_gradient,
    compute_average_gradient,
    compute_spatial_frequency,
    compute_standard_deviation,
    spatial_frequency,
    standard_deviation,
)
from metaloss.metrics.conventions import get_convention
from metaloss.metrics.correlation import (
    compute_correlation_coefficient,
    compute_sum_of_correlations_of_differences,
    correlation_coefficient,
    sum_of_correlations_of_differences,
)
from metaloss.metrics.difference import (
    compute_mean_squared_error,
    compute_peak_signal_noise_ratio,
    mean_squared_error,
    peak_signal_noise_ratio,
)
from metaloss.metrics.images import check_number, split
from metaloss.metrics.information import (
    compute_entropy,
    compute_mutual_information,
    entropy,
    mutual_information,
)
from metaloss.metrics.lpips import MIN_SIDE as LPIPS_SIDE
from metaloss.metrics.lpips import compute_learned_perceptual_similarity, learned_perceptual_similarity
from metaloss.metrics.ssim import (
    MIN_SIDE_MULTISCALE,
    compute_multiscale_structural_similarity,
    compute_structural_similarity,
    multiscale_structural_similarity,
    structural_similarity,
)
from metaloss.metrics.vif import MIN_SIDE as VIF_SIDE
from metaloss.metrics.vif import compute_visual_information_fidelity, visual_information_fidelity
from metaloss.metrics.xydeas_petrovic import compute_qabf, qabf


@dataclass(frozen=True, kw_only=True)
class MetricInfo:
    """What there is to know about one metric.

    Attributes:
        name: its short name, as in tables.
        title: its name in words.
        function: the public function, ``(fused[, sources], *, convention)``.
        compute: the same on checked images, which may share intermediates.
        higher_is_better: the direction.
        optional: needs a network, and is left out unless asked for by name.
        needs_sources: the fused image alone is not enough.
        differentiable: has a useful gradient.
        min_side: the smallest height and width in pixels.
    """

    name: str
    title: str
    function: Callable[..., Tensor]
    compute: Callable[..., Tensor]
    higher_is_better: bool = True
    optional: bool = False
    needs_sources: bool = True
    differentiable: bool = True
    min_side: int = 1

    @property
    def direction(self) -> Literal["up", "down"]:
        """``"up"`` where higher is better, else ``"down"``."""
        return "up" if self.higher_is_better else "down"

    @property
    def arrow(self) -> str:
        """The direction as tables for people show it."""
        return "↑" if self.higher_is_better else "↓"


METRICS: dict[str, MetricInfo] = {
    info.name: info
    for info in (
        MetricInfo(
            name="EN",
            title="entropy",
            function=entropy,
            compute=compute_entropy,
            needs_sources=False,
            differentiable=False,
        ),
        MetricInfo(
            name="SD",
            title="standard deviation",
            function=standard_deviation,
            compute=compute_standard_deviation,
            needs_sources=False,
        ),
        MetricInfo(
            name="SF",
            title="spatial frequency",
            function=spatial_frequency,
            compute=compute_spatial_frequency,
            needs_sources=False,
            min_side=2,
        ),
        MetricInfo(
            name="AG",
            title="average gradient",
            function=average_gradient,
            compute=compute_average_gradient,
            needs_sources=False,
            min_side=2,
        ),
        MetricInfo(
            name="MI",
            title="mutual information",
            function=mutual_information,
            compute=compute_mutual_information,
            differentiable=False,
        ),
        MetricInfo(
            name="CC",
            title="correlation coefficient",
            function=correlation_coefficient,
            compute=compute_correlation_coefficient,
        ),
        MetricInfo(
            name="SCD",
            title="sum of the correlations of differences",
            function=sum_of_correlations_of_differences,
            compute=compute_sum_of_correlations_of_differences,
        ),
        MetricInfo(
            name="MSE",
            title="mean squared error",
            function=mean_squared_error,
            compute=compute_mean_squared_error,
            higher_is_better=False,
        ),
        MetricInfo(
            name="PSNR",
            title="peak signal-to-noise ratio",
            function=peak_signal_noise_ratio,
            compute=compute_peak_signal_noise_ratio,
        ),
        MetricInfo(
            name="VIF",
            title="visual information fidelity",
            function=visual_information_fidelity,
            compute=compute_visual_information_fidelity,
            min_side=VIF_SIDE,
        ),
        MetricInfo(
            name="Qabf",
            title="edge-based fusion quality",
            function=qabf,
            compute=compute_qabf,
        ),
        MetricInfo(
            name="SSIM",
            title="structural similarity",
            function=structural_similarity,
            compute=compute_structural_similarity,
            min_side=11,
        ),
        MetricInfo(
            name="MS-SSIM",
            title="multi-scale structural similarity",
            function=multiscale_structural_similarity,
            compute=compute_multiscale_structural_similarity,
            min_side=MIN_SIDE_MULTISCALE,
        ),
        MetricInfo(
            name="LPIPS",
            title="learned perceptual similarity",
            function=learned_perceptual_similarity,
            compute=compute_learned_perceptual_similarity,
            higher_is_better=False,
            optional=True,
            min_side=LPIPS_SIDE,
        ),
        MetricInfo(
            name="Qcv",
            title="perceived difference in salient regions",
            function=qcv,
            compute=compute_qcv,
            higher_is_better=False,
        ),
    )
}


def metric_info(name: str) -> MetricInfo:
    """Looks a metric up.

    Args:
        name: one of :data:`METRICS`.

    Returns:
        What there is to know about it.

    Raises:
        ConfigError: there is no such metric.
    """
    if name not in METRICS:
        raise ConfigError(f"metric {name!r} is not known: choose from {list(METRICS)}{nearest(name, METRICS)}")
    return METRICS[name]


def select(metrics: Iterable[str] | None, *, network: bool) -> list[MetricInfo]:
    """The metrics asked for by name, or all that are not optional.

    Args:
        metrics: short names, or ``None``.
        network: whether there is a network for the optional ones.

    Returns:
        In the order given.

    Raises:
        ConfigError: an unknown name, or an optional metric without its network.
    """
    if metrics is None:
        return [info for info in METRICS.values() if not info.optional]
    chosen = [metric_info(name) for name in metrics]
    for info in chosen:
        if info.optional and not network:
            raise ConfigError(
                f"{info.name} needs a network: give the one that metaloss.metrics.load_lpips(path) makes from a "
                f"local weight file, or leave {info.name} out"
            )
    return chosen


def evaluate(
    fused: Tensor,
    sources: Sequence[Tensor],
    *,
    convention: str = "tdfusion",
    metrics: Iterable[str] | None = None,
    lpips: nn.Module | None = None,
) -> dict[str, Tensor]:
    """Measures fused images with several metrics, which share what they can.

    Args:
        fused: of shape (B, 1, H, W), 0-255.
        sources: n >= 2 tensors of that shape.
        convention: one of :data:`~metaloss.metrics.CONVENTIONS`.
        metrics: short names from :data:`METRICS`; by default all that are not optional, of which
            those that are not defined for images this small (VIF below 41 pixels, MS-SSIM below 176)
            are NaN. Asked for by name, they raise.
        lpips: the network from :func:`~metaloss.metrics.load_lpips`, for LPIPS.

    Returns:
        By short name, one value per image: tensors of shape (B,).

    Raises:
        ConfigError: an unknown convention or metric, or LPIPS without its network.
        DataError: values outside 0-255.
        ShapeError: another shape, images too small for a metric that was named, or fewer than two sources.
    """
    check_number(sources)
    rules = get_convention(convention)
    chosen = select(metrics, network=lpips is not None)
    values: dict[str, list[Tensor]] = {info.name: [] for info in chosen}
    for images in split(fused, sources):
        side = min(images.stack.shape[-2:])
        for info in chosen:
            if metrics is None and side < info.min_side:
                value = images.stack.new_full((images.stack.shape[1],), torch.nan)
            elif info.optional:
                value = info.compute(images, rules, network=lpips)
            else:
                value = info.compute(images, rules)
            values[info.name].append(value)
    return {name: torch.cat(parts) for name, parts in values.items()}
