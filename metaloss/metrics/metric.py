"""The metrics as torchmetrics classes: means over all images seen, in one process or many."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection

from metaloss.metrics.conventions import get_convention
from metaloss.metrics.lpips import load_lpips
from metaloss.metrics.measure import evaluate
from metaloss.metrics.registry import METRICS, metric_info, select


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

    def __init__(self, *, convention: str = "tdfusion", **options: Any) -> None:
        super().__init__(**options)
        self.convention = get_convention(convention).name
        self.network: nn.Module | None = None
        self.add_state("total", default=torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, fused: Tensor, sources: Sequence[Tensor]) -> None:
        """Measures one batch.

        Args:
            fused: of shape (B, 1, H, W), or (B, 3, H, W) by a convention that measures colour; 0-255.
            sources: n >= 2 tensors of that shape; grey and colour may be mixed where colour is measured.

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


class NetworkMetric(ImageFusionMetric):
    """The mean over all images of one fusion metric that needs a network.

    Args:
        weights: the backbone's local weight file, for :func:`~metaloss.metrics.load_lpips`.
        backbone: ``"alex"``, ``"vgg"`` or ``"squeeze"``.
        convention: one of :data:`~metaloss.metrics.CONVENTIONS`.
        options: of ``torchmetrics.Metric``.

    Raises:
        CheckpointError: the file is missing, unreadable, or belongs to another network.
        ConfigError: an unknown convention or backbone, or torchvision is not installed.
    """

    def __init__(
        self, *, weights: str | Path, backbone: str = "alex", convention: str = "tdfusion", **options: Any
    ) -> None:
        super().__init__(convention=convention, **options)
        self.network = load_lpips(weights, backbone=backbone)


@cache
def metric_class(name: str) -> type[ImageFusionMetric]:
    """Makes the class of a metric, once.

    Args:
        name: one of :data:`~metaloss.metrics.METRICS`.

    Returns:
        A subclass of :class:`ImageFusionMetric`, which is found, and pickled, as an attribute of
        ``metaloss.metrics``.

    Raises:
        ConfigError: there is no such metric.
    """
    info = metric_info(name)
    base = NetworkMetric if info.needs_network else ImageFusionMetric
    first, rest = inspect.cleandoc(str(base.__doc__)).split("\n\n", 1)
    content = {
        "name": name,
        "higher_is_better": info.higher_is_better,
        "is_differentiable": info.differentiable,
        "__module__": "metaloss.metrics",
        "__doc__": f"{name}; see :func:`~metaloss.metrics.{info.function.__name__}`.\n\n{first}\n\n{rest}\n",
    }
    return type(info.class_name, (base,), content)


METRIC_CLASSES: dict[str, type[ImageFusionMetric]] = {name: metric_class(name) for name in METRICS}


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

    Examples:
        >>> import torch
        >>> from metaloss.metrics import fusion_metrics
        >>> metrics = fusion_metrics(["EN", "SF"])
        >>> ir, vi = torch.randint(256, (2, 3, 1, 64, 64)).float()
        >>> metrics.update(vi, (ir, vi))
        >>> sorted(metrics.compute())
        ['EN', 'SF']
    """
    chosen: dict[str, ImageFusionMetric] = {}
    for info in select(metrics, network=lpips_weights is not None):
        options = {"weights": lpips_weights} if info.needs_network else {}
        chosen[info.name] = metric_class(info.name)(convention=convention, **options)
    return MetricCollection(chosen, compute_groups=False)
