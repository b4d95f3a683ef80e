"""Fusion metrics with stated conventions: pure functions, torchmetrics classes, and all of them at once.

Images are grey tensors (B, 1, H, W) in 0-255; values come back per image, (B,).
"""

from typing import TYPE_CHECKING

from metaloss.metrics.chen_varshney import qcv
from metaloss.metrics.contrast import average_gradient, spatial_frequency, standard_deviation
from metaloss.metrics.conventions import CONVENTIONS, Convention, get_convention
from metaloss.metrics.correlation import correlation_coefficient, sum_of_correlations_of_differences
from metaloss.metrics.difference import mean_squared_error, peak_signal_noise_ratio
from metaloss.metrics.information import entropy, mutual_information
from metaloss.metrics.lpips import learned_perceptual_similarity, load_lpips
from metaloss.metrics.registry import METRICS, MetricInfo, evaluate, metric_info
from metaloss.metrics.ssim import multiscale_structural_similarity, structural_similarity
from metaloss.metrics.vif import visual_information_fidelity
from metaloss.metrics.xydeas_petrovic import qabf

if TYPE_CHECKING:
    from metaloss.metrics.metric import (
        METRIC_CLASSES,
        AverageGradient,
        CorrelationCoefficient,
        Entropy,
        ImageFusionMetric,
        LearnedPerceptualSimilarity,
        MeanSquaredError,
        MultiscaleStructuralSimilarity,
        MutualInformation,
        PeakSignalNoiseRatio,
        Qabf,
        Qcv,
        SpatialFrequency,
        StandardDeviation,
        StructuralSimilarity,
        SumOfCorrelationsOfDifferences,
        VisualInformationFidelity,
        fusion_metrics,
    )

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
        if name in __all__:
            from metaloss.metrics import metric

            return getattr(metric, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
