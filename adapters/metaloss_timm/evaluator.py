"""Top-1 accuracy by torchmetrics behind metaloss's face."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy

from metaloss.data import check_class_numbers


class ClassificationEvaluator:
    """Counts right answers; torchmetrics adds those of several processes together.

    Args:
        num_classes: how many there are.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.top1 = MulticlassAccuracy(num_classes, average="micro")

    def update(self, predictions: Sequence[Tensor], target: Tensor) -> None:
        """Takes in probabilities, B of (num_classes,), and class numbers (B,).

        Raises:
            ShapeError: targets of another form.
            DataError: a number that is no class.
        """
        target = check_class_numbers(target, predictions, self.num_classes)
        self.top1.to(target.device).update(torch.stack(tuple(predictions)), target)

    def compute(self) -> dict[str, float]:
        """Returns ``top1``, in percent."""
        return {"top1": 100 * float(self.top1.compute())}
