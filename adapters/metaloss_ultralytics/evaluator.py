"""ultralytics' own detection metrics behind metaloss's face."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import torch
import torch.distributed as dist

from metaloss.data import check_detections
from metaloss.data.boxes import Target
from metaloss.runtime.processes import world_size
from metaloss_ultralytics.framework import BaseValidator, DetMetrics, Results, box_iou

THRESHOLDS = torch.linspace(0.5, 0.95, 10)


class DetectionEvaluator:
    """Matches predictions with boxes as ultralytics' validator does; scores them with ``DetMetrics``.

    In several processes each collects its own; all of them ask for the score, which is over all predictions.

    Args:
        classes: their names.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.names = dict(enumerate(classes))
        self.images: list[dict[str, np.ndarray]] = []

    def update(self, predictions: Sequence[Results], target: Sequence[Target]) -> None:
        """Takes in predictions and their targets.

        Raises:
            ShapeError: targets of another form.
            DataError: a label that is no class, or a box without area.
        """
        target = check_detections(target, len(predictions), len(self.names))
        for result, truth in zip(predictions, target, strict=True):
            boxes, labels = truth["boxes"].cpu().float(), truth["labels"].cpu().float()
            found = result.boxes.data.cpu().float()
            right = np.zeros((len(found), len(THRESHOLDS)), dtype=bool)
            if len(found) and len(boxes):
                overlap = box_iou(boxes, found[:, :4])
                validator = SimpleNamespace(iouv=THRESHOLDS)
                right = BaseValidator.match_predictions(validator, found[:, 5], labels, overlap).numpy()
            self.images.append(
                {
                    "tp": right,
                    "conf": found[:, 4].numpy(),
                    "pred_cls": found[:, 5].numpy(),
                    "target_cls": labels.numpy(),
                    "target_img": np.unique(labels.numpy()),
                }
            )

    def compute(self) -> dict[str, float]:
        """Returns ``mAP50``, ``mAP75`` and ``mAP50-95``, in percent; not a number where no object is to be found."""
        images = self._everyones()
        if not any(len(image["target_cls"]) for image in images):
            return dict.fromkeys(("mAP50", "mAP75", "mAP50-95"), float("nan"))
        if not any(len(image["conf"]) for image in images):
            return dict.fromkeys(("mAP50", "mAP75", "mAP50-95"), 0.0)
        metrics = DetMetrics(self.names)
        for number, image in enumerate(images):
            metrics.update_stats({**image, "im_name": str(number)})
        metrics.process(plot=False)
        box = metrics.box
        return {"mAP50": 100 * float(box.map50), "mAP75": 100 * float(box.map75), "mAP50-95": 100 * float(box.map)}

    def _everyones(self) -> list[dict[str, np.ndarray]]:
        if world_size() == 1:
            return self.images
        gathered: list[list[dict[str, np.ndarray]]] = [[] for _ in range(world_size())]
        dist.all_gather_object(gathered, self.images)
        return [image for part in gathered for image in part]
