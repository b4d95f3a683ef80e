"""The small task networks with a loss and a score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.classification import MulticlassJaccardIndex
from torchmetrics.detection import MeanAveragePrecision

from examples.small_detector import SmallDetector, detection_loss, detections
from examples.small_networks import SmallSegmenter
from metaloss.tasks import ModuleTask


class Segmentation(ModuleTask):
    """The small segmentation network, cross entropy, IoU of all test pixels together.

    Args:
        classes: names, the background first.
        weights: of each class in the loss.
    """

    def __init__(self, classes: Sequence[str], weights: Sequence[float]) -> None:
        super().__init__(SmallSegmenter(len(classes)), self._loss)
        self.classes = tuple(classes)
        self.register_buffer("weights", torch.tensor(weights), persistent=False)

    def _loss(self, logits: Tensor, ids: Tensor) -> Tensor:
        return F.cross_entropy(logits, ids, self.weights, ignore_index=255)

    def evaluator(self) -> _SegmentationScore:
        """Makes a fresh evaluator."""
        return _SegmentationScore(self.classes)


class _SegmentationScore:
    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes
        self.overlap = MulticlassJaccardIndex(len(classes), average=None, ignore_index=255)

    def update(self, logits: Tensor, ids: Tensor) -> None:
        self.overlap.to(ids.device).update(logits.argmax(1), ids)

    def compute(self) -> dict[str, float]:
        shares = [100 * float(share) for share in self.overlap.compute()]
        named = {f"IoU {name}": share for name, share in zip(self.classes[1:], shares[1:], strict=True)}
        return {"mIoU": sum(shares) / len(shares), **named}


class Detection(ModuleTask):
    """The small detector, COCO's average precision.

    Args:
        classes: names.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        super().__init__(SmallDetector(len(classes)), detection_loss)
        self.classes = tuple(classes)

    def predict(self, fused: Tensor) -> Any:
        """Returns boxes, scores and labels per image."""
        return detections(super().predict(fused))

    def evaluator(self) -> _DetectionScore:
        """Makes a fresh evaluator."""
        return _DetectionScore()


class _DetectionScore:
    def __init__(self) -> None:
        self.precision = MeanAveragePrecision()

    def update(self, found: list[dict[str, Tensor]], target: list[dict[str, Tensor]]) -> None:
        self.precision.update(found, target)

    def compute(self) -> dict[str, float]:
        scores = self.precision.compute()
        return {name: 100 * float(scores[key]) for name, key in (("mAP50", "map_50"), ("mAP", "map"))}


def seeded(make: Any, seed: int) -> nn.Module:
    """Makes a network whose initial weights depend on the seed alone."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network: nn.Module = make()
    return network
