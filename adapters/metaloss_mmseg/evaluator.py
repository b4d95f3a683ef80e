"""MMSegmentation's own IoU metric behind metaloss's face."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from metaloss_frameworks.framework_call import framework_call
from metaloss_frameworks.quiet import quiet
from mmengine.dist import all_gather_object
from torch import Tensor

from metaloss.data import check_class_ids
from metaloss_mmseg.framework import IoUMetric, SegDataSample


class SegmentationEvaluator:
    """Collects predictions; scores them with ``IoUMetric``.

    In several processes each collects its own; all of them ask for the score, which is over all predictions.

    Args:
        classes: their names.
        ignored: the id that does not count.
    """

    def __init__(self, classes: Sequence[str], ignored: int) -> None:
        with quiet():
            self.metric = IoUMetric(ignore_index=ignored, iou_metrics=["mIoU"], collect_device="gpu")  # by messages
        self.metric.dataset_meta = {"classes": list(classes)}
        self.classes, self.ignored = len(classes), ignored
        self.size = 0
        self.counts = torch.zeros(self.classes, self.classes, dtype=torch.int64)

    def update(self, predictions: Sequence[SegDataSample], target: Tensor) -> None:
        """Takes in predictions and their class ids (B, H, W).

        Raises:
            ShapeError: ids of another size than the predictions.
            DataError: an id that is no class.
        """
        if predictions:
            shape = (len(predictions), *predictions[0].pred_sem_seg.data.shape)
            check_class_ids(target, predictions[0].pred_sem_seg.data.expand(shape), self.classes, ignore=self.ignored)
        self.metric.process(
            {},
            [
                {"pred_sem_seg": {"data": sample.pred_sem_seg.data}, "gt_sem_seg": {"data": ids}}
                for sample, ids in zip(predictions, target, strict=True)
            ],
        )
        self.size += len(predictions)
        for sample, ids in zip(predictions, target, strict=True):
            found = sample.pred_sem_seg.data.squeeze(0).to(ids)
            counted = ids != self.ignored
            pairs = ids[counted] * self.classes + found[counted]
            self.counts += torch.bincount(pairs, minlength=self.classes**2).view_as(self.counts).cpu()

    def confusion(self) -> Tensor:
        """Counts pixels by true class and class found, (classes, classes), in all processes."""
        return torch.stack(all_gather_object(self.counts)).sum(0)

    def compute(self) -> dict[str, float]:
        """Returns ``mIoU``, ``mAcc`` and ``aAcc``, in percent."""
        size = sum(all_gather_object(self.size))
        with framework_call("MMSegmentation's IoUMetric", "score the predictions"):
            return {name: float(value) for name, value in self.metric.evaluate(size).items()}
