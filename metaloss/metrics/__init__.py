"""Fusion metrics with stated conventions: pure functions, torchmetrics classes, and all of them at once.

Images are tensors (B, 1, H, W) in 0-255, or (B, 3, H, W) where a convention measures colour; values come
back per image, (B,). A metric is registered where it is written, see :mod:`metaloss.metrics.registry`.
"""

from typing import TYPE_CHECKING

from metaloss.metrics.conventions import CONVENTIONS, Convention, get_convention

# The metrics' modules in the order of tables: each registers its own as it is imported.
# isort: off
from metaloss.metrics.levels import entropy
from metaloss.metrics.contrast import average_gradient, spatial_frequency, standard_deviation
from metaloss.metrics.joint_levels import mutual_information
from metaloss.metrics.correlation import correlation_coefficient, sum_of_correlations_of_differences
from metaloss.metrics.difference import mean_squared_error, peak_signal_noise_ratio
from metaloss.metrics.vif import visual_information_fidelity
from metaloss.metrics.xydeas_petrovic import qabf
from metaloss.metrics.ssim import multiscale_structural_similarity, structural_similarity
from metaloss.metrics.lpips import learned_perceptual_similarity, load_lpips
from metaloss.metrics.chen_varshney import qcv

# isort: on
from metaloss.metrics.measure import evaluate
from metaloss.metrics.registry import METRICS, MetricInfo, metric_info

if TYPE_CHECKING:  # the classes are made from the registry; to a type checker each is the class of all
    from metaloss.metrics.metric import METRIC_CLASSES, ImageFusionMetric, fusion_metrics
    from metaloss.metrics.metric import ImageFusionMetric as AverageGradient
    from metaloss.metrics.metric import ImageFusionMetric as CorrelationCoefficient
    from metaloss.metrics.metric import ImageFusionMetric as Entropy
    from metaloss.metrics.metric import ImageFusionMetric as MeanSquaredError
    from metaloss.metrics.metric import ImageFusionMetric as MultiscaleStructuralSimilarity
    from metaloss.metrics.metric import ImageFusionMetric as MutualInformation
    from metaloss.metrics.metric import ImageFusionMetric as PeakSignalNoiseRatio
    from metaloss.metrics.metric import ImageFusionMetric as Qabf
    from metaloss.metrics.metric import ImageFusionMetric as Qcv
    from metaloss.metrics.metric import ImageFusionMetric as SpatialFrequency
    from metaloss.metrics.metric import ImageFusionMetric as StandardDeviation
    from metaloss.metrics.metric import ImageFusionMetric as StructuralSimilarity
    from metaloss.metrics.metric import ImageFusionMetric as SumOfCorrelationsOfDifferences
    from metaloss.metrics.metric import ImageFusionMetric as VisualInformationFidelity
    from metaloss.metrics.metric import NetworkMetric as LearnedPerceptualSimilarity

__all__ = [
    "CONVENTIONS",
    "METRICS",
    "METRIC_CLASSES",
    "AverageGradient",
    "Convention",
    "CorrelationCoefficient",
    "Entropy",
    "ImageFusionMetric",
    "LearnedPerceptualSimilarity",
    "MeanSquaredError",
    "MetricInfo",
    "MultiscaleStructuralSimilarity",
    "MutualInformation",
    "PeakSignalNoiseRatio",
    "Qabf",
    "Qcv",
    "SpatialFrequency",
    "StandardDeviation",
    "StructuralSimilarity",
    "SumOfCorrelationsOfDifferences",
    "VisualInformationFidelity",
    "average_gradient",
    "correlation_coefficient",
    "entropy",
    "evaluate",
    "fusion_metrics",
    "get_convention",
    "learned_perceptual_similarity",
    "load_lpips",
    "mean_squared_error",
    "metric_info",
    "multiscale_structural_similarity",
    "mutual_information",
    "peak_signal_noise_ratio",
    "qabf",
    "qcv",
    "spatial_frequency",
    "standard_deviation",
    "structural_similarity",
    "sum_of_correlations_of_differences",
    "visual_information_fidelity",
]


if not TYPE_CHECKING:  # seen by a type checker, it would make any misspelt name a right one

    def __getattr__(name: str) -> object:
        # The classes alone need torchmetrics, whose import takes longer than a small evaluation.
        classes = {info.class_name: info.name for info in METRICS.values()}
        if name in classes or name in ("METRIC_CLASSES", "ImageFusionMetric", "fusion_metrics"):
            from metaloss.metrics import metric

            return metric.metric_class(classes[name]) if name in classes else getattr(metric, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
