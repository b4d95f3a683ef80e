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
from metaloss.metrics.difference import mean_squared_error, peak_signal_noise_ratio, root_mean_squared_error
from metaloss.metrics.vif import visual_information_fidelity
from metaloss.metrics.xydeas_petrovic import qabf
from metaloss.metrics.ssim import multiscale_structural_similarity, structural_similarity
from metaloss.metrics.lpips import learned_perceptual_similarity, load_lpips
from metaloss.metrics.chen_varshney import qcv
from metaloss.metrics.cross_entropy import cross_entropy
from metaloss.metrics.edge_intensity import edge_intensity
from metaloss.metrics.shared_information import (
    nonlinear_correlation_information_entropy,
    normalized_mutual_information,
    tsallis_entropy,
)
from metaloss.metrics.feature_information import fmi_dct, fmi_gradient, fmi_pixel, fmi_w
from metaloss.metrics.artifacts import nabf
from metaloss.metrics.zhao import qp
from metaloss.metrics.piella import qe, qs, qw
from metaloss.metrics.window_similarity import qc, qy
from metaloss.metrics.mef_ssim import mef_ssim
from metaloss.metrics.chen_blum import qcb

# isort: on
from metaloss.metrics.measure import evaluate
from metaloss.metrics.registry import METRICS, MetricInfo, metric_info

if TYPE_CHECKING:  # the classes are made from the registry; to a type checker each is the class of all
    from metaloss.metrics.metric import METRIC_CLASSES, ImageFusionMetric, fusion_metrics
    from metaloss.metrics.metric import ImageFusionMetric as AverageGradient
    from metaloss.metrics.metric import ImageFusionMetric as CorrelationCoefficient
    from metaloss.metrics.metric import ImageFusionMetric as CrossEntropy
    from metaloss.metrics.metric import ImageFusionMetric as EdgeIntensity
    from metaloss.metrics.metric import ImageFusionMetric as Entropy
    from metaloss.metrics.metric import ImageFusionMetric as FmiDct
    from metaloss.metrics.metric import ImageFusionMetric as FmiGradient
    from metaloss.metrics.metric import ImageFusionMetric as FmiPixel
    from metaloss.metrics.metric import ImageFusionMetric as FmiW
    from metaloss.metrics.metric import ImageFusionMetric as MeanSquaredError
    from metaloss.metrics.metric import ImageFusionMetric as MefSsim
    from metaloss.metrics.metric import ImageFusionMetric as MultiscaleStructuralSimilarity
    from metaloss.metrics.metric import ImageFusionMetric as MutualInformation
    from metaloss.metrics.metric import ImageFusionMetric as Nabf
    from metaloss.metrics.metric import ImageFusionMetric as NonlinearCorrelationInformationEntropy
    from metaloss.metrics.metric import ImageFusionMetric as NormalizedMutualInformation
    from metaloss.metrics.metric import ImageFusionMetric as PeakSignalNoiseRatio
    from metaloss.metrics.metric import ImageFusionMetric as Qabf
    from metaloss.metrics.metric import ImageFusionMetric as Qc
    from metaloss.metrics.metric import ImageFusionMetric as Qcb
    from metaloss.metrics.metric import ImageFusionMetric as Qcv
    from metaloss.metrics.metric import ImageFusionMetric as Qe
    from metaloss.metrics.metric import ImageFusionMetric as Qp
    from metaloss.metrics.metric import ImageFusionMetric as Qs
    from metaloss.metrics.metric import ImageFusionMetric as Qw
    from metaloss.metrics.metric import ImageFusionMetric as Qy
    from metaloss.metrics.metric import ImageFusionMetric as RootMeanSquaredError
    from metaloss.metrics.metric import ImageFusionMetric as SpatialFrequency
    from metaloss.metrics.metric import ImageFusionMetric as StandardDeviation
    from metaloss.metrics.metric import ImageFusionMetric as StructuralSimilarity
    from metaloss.metrics.metric import ImageFusionMetric as SumOfCorrelationsOfDifferences
    from metaloss.metrics.metric import ImageFusionMetric as TsallisEntropy
    from metaloss.metrics.metric import ImageFusionMetric as VisualInformationFidelity
    from metaloss.metrics.metric import NetworkMetric as LearnedPerceptualSimilarity

__all__ = [
    "CONVENTIONS",
    "METRICS",
    "METRIC_CLASSES",
    "AverageGradient",
    "Convention",
    "CorrelationCoefficient",
    "CrossEntropy",
    "EdgeIntensity",
    "Entropy",
    "FmiDct",
    "FmiGradient",
    "FmiPixel",
    "FmiW",
    "ImageFusionMetric",
    "LearnedPerceptualSimilarity",
    "MeanSquaredError",
    "MefSsim",
    "MetricInfo",
    "MultiscaleStructuralSimilarity",
    "MutualInformation",
    "Nabf",
    "NonlinearCorrelationInformationEntropy",
    "NormalizedMutualInformation",
    "PeakSignalNoiseRatio",
    "Qabf",
    "Qc",
    "Qcb",
    "Qcv",
    "Qe",
    "Qp",
    "Qs",
    "Qw",
    "Qy",
    "RootMeanSquaredError",
    "SpatialFrequency",
    "StandardDeviation",
    "StructuralSimilarity",
    "SumOfCorrelationsOfDifferences",
    "TsallisEntropy",
    "VisualInformationFidelity",
    "average_gradient",
    "correlation_coefficient",
    "cross_entropy",
    "edge_intensity",
    "entropy",
    "evaluate",
    "fmi_dct",
    "fmi_gradient",
    "fmi_pixel",
    "fmi_w",
    "fusion_metrics",
    "get_convention",
    "learned_perceptual_similarity",
    "load_lpips",
    "mean_squared_error",
    "mef_ssim",
    "metric_info",
    "multiscale_structural_similarity",
    "mutual_information",
    "nabf",
    "nonlinear_correlation_information_entropy",
    "normalized_mutual_information",
    "peak_signal_noise_ratio",
    "qabf",
    "qc",
    "qcb",
    "qcv",
    "qe",
    "qp",
    "qs",
    "qw",
    "qy",
    "root_mean_squared_error",
    "spatial_frequency",
    "standard_deviation",
    "structural_similarity",
    "sum_of_correlations_of_differences",
    "tsallis_entropy",
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
