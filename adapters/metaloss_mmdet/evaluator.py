"""MMDetection's own COCO metric behind metaloss's face."""

from __future__ import annotations

from collections.abc import Sequence

from metaloss_frameworks.framework_call import framework_call
from metaloss_frameworks.quiet import quiet
from mmengine.dist import all_gather_object

from metaloss.data import check_detections
from metaloss.data.boxes import Target
from metaloss.runtime.processes import rank, world_size
from metaloss_mmdet.framework import CocoMetric, DetDataSample

_NAMES = {"mAP": "coco/bbox_mAP", "mAP50": "coco/bbox_mAP_50", "mAP75": "coco/bbox_mAP_75"}


class DetectionEvaluator:
    """Collects predictions and boxes; scores them with ``CocoMetric``.

    In several processes each collects its own; all of them ask for the score, which is over all predictions.

    Args:
        classes: their names.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        with quiet():
            self.metric = CocoMetric(metric="bbox", collect_device="gpu")  # by messages
        self.metric.dataset_meta = {"classes": list(classes)}
        self.classes = len(classes)
        self.size = self.predicted = self.present = 0

    def update(self, predictions: Sequence[DetDataSample], target: Sequence[Target]) -> None:
        """Takes in predictions and their targets.

        Raises:
            ShapeError: targets of another form.
            DataError: a label that is no class, or a box without area.
        """
        target = check_detections(target, len(predictions), self.classes)
        for sample, truth in zip(predictions, target, strict=True):
            pairs = zip(truth["boxes"].tolist(), truth["labels"].tolist(), strict=True)
            found = sample.pred_instances
            entry = {
                "img_id": self.size * world_size() + rank(),
                "ori_shape": sample.ori_shape,
                "pred_instances": {"bboxes": found.bboxes, "scores": found.scores, "labels": found.labels.long()},
                "instances": [{"bbox": box, "bbox_label": label} for box, label in pairs],
            }
            self.metric.process({}, [entry])
            self.size += 1
            self.predicted += len(found)
            self.present += len(entry["instances"])

    def compute(self) -> dict[str, float]:
        """Returns ``mAP``, ``mAP50`` and ``mAP75``, in percent; not a number where no object is to be found."""
        counts = all_gather_object((self.size, self.predicted, self.present))
        size, predicted, present = (sum(column) for column in zip(*counts, strict=True))
        if not predicted or not present:
            return dict.fromkeys(_NAMES, 0.0 if present else float("nan"))
        with quiet(), framework_call("MMDetection's CocoMetric", "score the predictions"):
            found = self.metric.evaluate(size)
        return {name: 100 * float(found[key]) for name, key in _NAMES.items()}
