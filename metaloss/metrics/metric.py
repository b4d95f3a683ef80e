"""The metrics as torchmetrics classes: means over all images seen, in one process or many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection

from metaloss.metrics.conventions import get_convention
from metaloss.metrics.lpips import load_lpips
from metaloss.metrics.registry import METRICS, evaluate, select


class ImageFusionMetric(Metric):  # type: ignore[misc]  # torchmetrics has no types for mypy
    """The mean of one fusion metric over all images.

    Args:
        convention: one of :data:`~metaloss.metrics.CONVENTIONS`.
        options: of ``torchmetrics.Metric``.

    Raises:
        ConfigError: an unknown convention.
    """

    name: ClassVar[str]
    full_state_update: bool | None = False
    total: Tensor
    count: Tensor

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.higher_is_better = METRICS[cls.name].higher_is_better
        cls.is_differentiable = METRICS[cls.name].differentiable

    def __init__(self, *, convention: str = "tdfusion", **options: Any) -> None:
        super().__init__(**options)
        self.convention = get_convention(convention).name
        self.network: nn.Module | None = None
        self.add_state("total", default=torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, fused: Tensor, sources: Sequence[Tensor]) -> None:
        """Measures one batch.

        Args:
            fused: of shape (B, 1, H, W), 0-255.
            sources: n >= 2 tensors of that shape.

        Raises:
            DataError: values outside 0-255.
            ShapeError: another shape, images too small, or fewer than two sources.
        """
        values = evaluate(fused, sources, convention=self.convention, metrics=[self.name], lpips=self.network)
        self.total = self.total + values[self.name].sum()
        self.count = self.count + len(fused)

    def compute(self) -> Tensor:
        """The mean over all images since the last reset, a scalar."""
        return self.total / self.count


class Entropy(ImageFusionMetric):
    """EN; see :func:`~metaloss.metrics.entropy`."""

    name = "EN"


class StandardDeviation(ImageFusionMetric):
    """SD; see :func:`~metaloss.metrics.standard_deviation`."""

    name = "SD"


class SpatialFrequency(ImageFusionMetric):
    """SF; see :func:`~metaloss.metrics.spatial_frequency`."""

    name = "SF"


class AverageGradient(ImageFusionMetric):
    """AG; see :func:`~metaloss.metrics.average_gradient`."""

    name = "AG"


class MutualInformation(ImageFusionMetric):
    """MI; see :func:`~metaloss.metrics.mutual_information`."""

    name = "MI"


class CorrelationCoefficient(ImageFusionMetric):
    """CC; see :func:`~metaloss.metrics.correlation_coefficient`."""

    name = "CC"


class SumOfCorrelationsOfDifferences(ImageFusionMetric):
    """SCD; see :func:`~metaloss.metrics.sum_of_correlations_of_differences`."""

    name = "SCD"


class MeanSquaredError(ImageFusionMetric):
    """MSE; see :func:`~metaloss.metrics.mean_squared_error`."""

    name = "MSE"


class PeakSignalNoiseRatio(ImageFusionMetric):
    """PSNR; see :func:`~metaloss.metrics.peak_signal_noise_ratio`."""

    name = "PSNR"


class VisualInformationFidelity(ImageFusionMetric):
    """VIF; see :func:`~metaloss.metrics.visual_information_fidelity`."""

    name = "VIF"


class Qabf(ImageFusionMetric):
    """Qabf; see :func:`~metaloss.metrics.qabf`."""

    name = "Qabf"


class StructuralSimilarity(ImageFusionMetric):
    """SSIM; see :func:`~metaloss.metrics.structural_similarity`."""

    name = "SSIM"


class MultiscaleStructuralSimilarity(ImageFusionMetric):
    """MS-SSIM; see :func:`~metaloss.metrics.multiscale_structural_similarity`."""

    name = "MS-SSIM"


class LearnedPerceptualSimilarity(ImageFusionMetric):
    """LPIPS; see :func:`~metaloss.metrics.learned_perceptual_similarity`.

    Args:
        weights: the backbone's local weight file, for :func:`~metaloss.metrics.load_lpips`.
        backbone: ``"alex"``, ``"vgg"`` or ``"squeeze"``.
        convention: one of :data:`~metaloss.metrics.CONVENTIONS`.
        options: of ``torchmetrics.Metric``.

    Raises:
        CheckpointError: the file is missing, unreadable, or belongs to another network.
        ConfigError: an unknown convention or backbone, or torchvision is not installed.
    """

    name = "LPIPS"

    def __init__(
        self, *, weights: str | Path, backbone: str = "alex", convention: str = "tdfusion", **options: Any
    ) -> None:
        super().__init__(convention=convention, **options)
        self.network = load_lpips(weights, backbone=backbone)


class Qcv(ImageFusionMetric):
    """Qcv; see :func:`~metaloss.metrics.qcv`."""

    name = "Qcv"


METRIC_CLASSES: dict[str, type[ImageFusionMetric]] = {
    metric.name: metric
    for metric in (
        Entropy,
        StandardDeviation,
        SpatialFrequency,
        AverageGradient,
        MutualInformation,
        CorrelationCoefficient,
        SumOfCorrelationsOfDifferences,
        MeanSquaredError,
        PeakSignalNoiseRatio,
        VisualInformationFidelity,
        Qabf,
        StructuralSimilarity,
        MultiscaleStructuralSimilarity,
        LearnedPerceptualSimilarity,
        Qcv,
    )
}


def fusion_metrics(
    metrics: Iterable[str] | None = None,
    *,
    convention: str = "tdfusion",
    lpips_weights: str | Path | None = None,
) -> MetricCollection:
    """Collects metrics, keyed by their short names.

    Args:
        metrics: short names from :data:`~metaloss.metrics.METRICS`; by default all that are not optional.
        convention: one of :data:`~metaloss.metrics.CONVENTIONS`.
        lpips_weights: for LPIPS, AlexNet's local weight file.

    Returns:
        The collection, which torchmetrics sorts by name; :func:`~metaloss.metrics.evaluate` gives values
        per image, and is faster.

    Raises:
        CheckpointError: the weight file cannot be used.
        ConfigError: an unknown metric or convention, or LPIPS without weights.
    """
    chosen: dict[str, ImageFusionMetric] = {}
    for info in select(metrics, network=lpips_weights is not None):
        options = {"weights": lpips_weights} if info.optional else {}
        chosen[info.name] = METRIC_CLASSES[info.name](convention=convention, **options)
    return MetricCollection(chosen, compute_groups=False)
