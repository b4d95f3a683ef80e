"""Scores by torchmetrics behind metaloss's face; it adds the counts of several processes together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix
from torchmetrics.detection import MeanAveragePrecision

from metaloss.data import check_class_ids, check_detections
from metaloss.data.boxes import Target
from metaloss.runtime.processes import gathered

IGNORED = 255
_NAMES = {"mAP": "map", "mAP50": "map_50", "mAP75": "map_75"}


class SegmentationEvaluator:
    """Counts which ids were taken for which.

    Args:
        num_classes: how many there are.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.counts = MulticlassConfusionMatrix(num_classes, ignore_index=IGNORED, validate_args=False)

    def update(self, predictions: Sequence[Tensor], target: Tensor) -> None:
        """Takes in logits, B of (num_classes, H, W), and class ids (B, H, W).

        Raises:
            ShapeError: targets of another form.
            DataError: an id that is no class.
        """
        logits = torch.stack(tuple(predictions))
        ids = check_class_ids(target, logits, self.num_classes, ignore=IGNORED).to(logits.device)
        self.counts.to(logits.device).update(logits.argmax(1), ids)

    def confusion(self) -> Tensor:
        """Counts pixels by true class and class found, (num_classes, num_classes), in all processes."""
        return self.counts.compute()

    def compute(self) -> dict[str, float]:
        """Returns ``mIoU`` and ``mAcc``, means over the classes that there are, and ``aAcc``, in percent."""
        counts = self.confusion().double()  # [true, found]
        right, true, found = counts.diagonal(), counts.sum(1), counts.sum(0)
        return {
            "mIoU": 100 * float((right / (true + found - right)).nanmean()),
            "mAcc": 100 * float((right / true).nanmean()),
            "aAcc": 100 * float(right.sum() / true.sum()),
        }


class DetectionEvaluator:
    """Collects predictions and boxes; scores them as COCO does.

    Args:
        num_classes: how many there are.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.scored: list[tuple[dict[str, Tensor], dict[str, Tensor]]] = []

    def update(self, predictions: Sequence[Mapping[str, Tensor]], target: Sequence[Target]) -> None:
        """Takes in predictions and their targets.

        Raises:
            ShapeError: targets of another form.
            DataError: a label that is no class, or a box that is not finite or has no area.
        """
        check_detections(target, len(predictions), self.num_classes)
        for found, truth in zip(predictions, target, strict=True):
            self.scored.append((_kept(found, ("boxes", "scores", "labels")), _kept(truth, ("boxes", "labels"))))

    def compute(self) -> dict[str, float]:
        """Returns ``mAP``, ``mAP50`` and ``mAP75``, in percent; not a number where no object is to be found."""
        scored = [pair for part in gathered(self.scored) for pair in part]
        if not any(len(truth["labels"]) for _, truth in scored):
            return dict.fromkeys(_NAMES, float("nan"))
        # of all processes' scenes, in each of them: nothing is left to add together
        metric = MeanAveragePrecision(distributed_available_fn=lambda: False)
        metric.warn_on_many_detections = False
        metric.update([found for found, _ in scored], [truth for _, truth in scored])
        values = metric.compute()
        return {name: 100 * max(0.0, float(values[key])) for name, key in _NAMES.items()}


def _kept(values: Mapping[str, Tensor], names: Sequence[str]) -> dict[str, Tensor]:
    return {
        name: values[name].detach().to("cpu", torch.float32 if values[name].is_floating_point() else None)
        for name in names
    }
