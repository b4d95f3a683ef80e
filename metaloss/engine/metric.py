"""Fusion metrics beside the task's own in validation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric

from metaloss.engine.registry import METRICS
from metaloss.metrics import METRICS as KNOWN
from metaloss.metrics import evaluate, get_convention, metric_info

PAPER = ("EN", "SF", "SCD", "VIF", "Qabf", "SSIM")


@METRICS.register_module()
class FusionMetric(BaseMetric):
    """Measures validation's fused images: ``val_evaluator=dict(type='metaloss.FusionMetric')``.

    Args:
        metrics: short names from ``metaloss.metrics.METRICS``; default: those of TDFusion's Table 1.
            One that is not defined for images this small is left out.
        convention: one of ``metaloss.metrics.CONVENTIONS``.
        collect_device: how MMEngine gathers the results of several processes: ``"gpu"`` by messages, with
            or without a GPU; ``"cpu"`` through files in a folder that all of them see.

    Raises:
        ConfigError: an unknown metric or convention, or one that needs a network.
    """

    default_prefix = "fusion"

    def __init__(
        self, metrics: Sequence[str] = PAPER, convention: str = "tdfusion", collect_device: str = "gpu"
    ) -> None:
        super().__init__(collect_device=collect_device)
        get_convention(convention)
        self.names = [metric_info(name).name for name in metrics]
        self.convention = convention

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Measures each scene of a batch, from its ``fused`` (1, H, W) and ``sources``, in [0, 1]."""
        for sample in data_samples:
            fused, *sources = (
                (image * 255).clamp(0, 255).unsqueeze(0) for image in (sample["fused"], *sample["sources"])
            )
            names = [name for name in self.names if min(fused.shape[-2:]) >= KNOWN[name].min_side]
            values = evaluate(
                fused.round(), [source.round() for source in sources], convention=self.convention, metrics=names
            )
            self.results.append({name: float(value) for name, value in values.items()})

    def compute_metrics(self, results: list[dict[str, float]]) -> dict[str, float]:
        """Means over the scenes where a metric is defined."""
        means = {}
        for name in self.names:
            values = [result[name] for result in results if not math.isnan(result.get(name, math.nan))]
            if values:
                means[name] = sum(values) / len(values)
        return means
