"""A detector of ultralytics as a task."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager

import numpy as np
import torch
import torch.nn.functional as F
from metaloss_frameworks.batch_norm import enough_for_batch_norm
from metaloss_frameworks.classes import class_names
from metaloss_frameworks.colour import as_rgb
from metaloss_frameworks.framework_call import framework_call
from torch import Tensor, nn

import metaloss
from metaloss.data import check_detections
from metaloss.data.boxes import Target
from metaloss.runtime.modes import evaluating
from metaloss_ultralytics.evaluator import DetectionEvaluator
from metaloss_ultralytics.framework import Results, RTDETRDetectionModel, non_max_suppression
from metaloss_ultralytics.models import build_detector, load_weights

PADDING = 114 / 255  # ultralytics' grey
# ultralytics' own settings for validation: a score needs the weak predictions, too
CONFIDENCE, OVERLAP, MOST = 0.001, 0.7, 300
_PATIENCE = 60.0  # seconds per image; ultralytics would leave out boxes after a twentieth


class DetectionTask(metaloss.TaskAdapter):
    """Object detection on fused images: loss, prediction and score are ultralytics' own.

    A batch is padded, not resized: equally on both sides, to a multiple of the network's stride, as
    ultralytics' letterbox does; boxes move along, and predictions move back.

    Args:
        model: a model file, or the name of one that ultralytics brings: ``"yolov8n.yaml"``, ``"yolo11n.yaml"``.
        num_classes: kinds of object to tell apart; default: as many as ``classes`` names.
        checkpoint: a local weight file; entries that belong to another number of classes are left out.
        classes: their names, for predictions.

    Raises:
        ConfigError: no such model, or not a box detector, or no classes.
        CheckpointError: a weight file that does not fit the network.
    """

    def __init__(
        self,
        *,
        model: str | os.PathLike[str] = "yolov8n.yaml",
        num_classes: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        classes: Sequence[str] | int | None = None,
    ) -> None:
        super().__init__()
        self.classes = class_names(num_classes, classes, least=1, purpose="detection needs at least one class")
        self.model = str(model)
        self.detector = build_detector(model, self.classes)
        if checkpoint is not None:
            load_weights(self.detector, checkpoint)

    def forward(self, fused: Tensor, target: Sequence[Target]) -> dict[str, Tensor]:
        """Measures the detector's own losses, each a mean over the batch's positives.

        Args:
            fused: of shape (B, 1, H, W) grey or (B, 3, H, W) RGB, in [0, 1].
            target: per image ``boxes`` (N, 4) xyxy in pixels and ``labels`` (N,) int64; N may be 0.

        Returns:
            The losses of boxes, classes and distributions; of RT-DETR all together, and the last layer's to see.

        Raises:
            ShapeError: targets of another form.
            DataError: a label that is no class, or a box without area.
        """
        target = check_detections(target, len(fused), len(self.classes))
        images, left, top = self._prepare(fused)
        batch = _as_batch(target, images, left, top)
        with self._call("give a loss", fused), enough_for_batch_norm(self.model, fused):
            # made anew each time: it remembers the device, and has nothing to remember otherwise
            criterion = self.detector.init_criterion()
            if isinstance(self.detector, RTDETRDetectionModel):
                return self._queries_losses(criterion, {"img": images, **batch})
            losses, _ = criterion(self.detector(images), batch)
        names = getattr(criterion, "one2many", criterion).loss_names
        return {name: loss / len(fused) for name, loss in zip(names, losses, strict=True)}

    def predict(self, fused: Tensor) -> list[Results]:
        """Detects, without gradient and in evaluation mode.

        Args:
            fused: of shape (B, 1, H, W) or (B, 3, H, W), in [0, 1].

        Returns:
            One ``Results`` per image, with up to 300 boxes of a confidence above 0.001, in pixels of the
            fused image; filter them with ``result[result.boxes.conf > 0.25]``.
        """
        with evaluating(self), torch.no_grad(), self._call("predict", fused):
            images, left, top = self._prepare(fused)
            found = self._boxes(images)
        height, width = fused.shape[-2:]
        shift, limits = (found[0].new_tensor(pair * 2) for pair in ([left, top], [width, height]))
        for boxes in found:
            boxes[:, :4] = torch.minimum((boxes[:, :4] - shift).clamp_min(0), limits)
        names = dict(self.detector.names)
        return [
            Results(_as_picture(image), f"image{number}.jpg", names, boxes=boxes)
            for number, (image, boxes) in enumerate(zip(fused, found, strict=True))
        ]

    def evaluator(self) -> DetectionEvaluator:
        """Makes a fresh evaluator: ultralytics' own metrics (mAP50, mAP75, mAP50-95, in percent)."""
        return DetectionEvaluator(self.classes)

    def _boxes(self, images: Tensor) -> list[Tensor]:
        """Per padded image rows of (x1, y1, x2, y2, confidence, class)."""
        raw = self.detector(images)
        if isinstance(self.detector, RTDETRDetectionModel):  # centre and size in parts of the image, the best chosen
            height, width = images.shape[-2:]
            middle, sides, rest = raw[0].split((2, 2, 2), -1)
            corners = torch.cat([middle - sides / 2, middle + sides / 2], -1)
            rows = torch.cat([corners * corners.new_tensor([width, height] * 2), rest], -1)
            return [each[each[:, 4] > CONFIDENCE][:MOST] for each in rows]
        return list(
            non_max_suppression(
                raw,
                CONFIDENCE,
                OVERLAP,
                multi_label=True,
                max_det=MOST,
                max_time_img=_PATIENCE,
                end2end=self.detector.end2end,
            )
        )

    def _queries_losses(self, criterion: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """RT-DETR's losses, which its network has to see the targets for: all together, and the main ones to see."""
        self.detector.criterion = criterion
        try:
            total, parts = self.detector.loss(batch)
        finally:
            del self.detector.criterion
        return {"loss": total, **{name.removesuffix("_loss"): value for name, value in parts.items()}}

    def _call(self, doing: str, fused: Tensor) -> AbstractContextManager[None]:
        size = (fused.shape[-2], fused.shape[-1])
        return framework_call(f"model {self.model!r}", doing, image_size=size)

    def _prepare(self, fused: Tensor) -> tuple[Tensor, int, int]:
        """Colour and padding, inside the graph; and how many pixels stand at the left and above."""
        stride = max(int(self.detector.stride.max()), 32)
        down, right = (-side % stride for side in fused.shape[-2:])
        top, left = down // 2, right // 2
        image = F.pad(as_rgb(fused), (left, right - left, top, down - top), value=PADDING)
        return image, left, top


def _as_batch(target: Sequence[Target], images: Tensor, left: int, top: int) -> dict[str, Tensor]:
    """Targets in ultralytics' form: boxes as centre and size in parts of the padded image."""
    dtype = torch.get_default_dtype()  # of the table that the criterion sorts them into
    shift = images.new_tensor([left, top] * 2, dtype=dtype)
    whole = images.new_tensor([images.shape[-1], images.shape[-2]] * 2, dtype=dtype)
    corners = torch.cat([each["boxes"].to(images.device, dtype) for each in target]) + shift
    first, last = corners[:, :2], corners[:, 2:]
    counts = torch.tensor([len(each["labels"]) for each in target], device=images.device)
    return {
        "bboxes": torch.cat([(first + last) / 2, last - first], 1) / whole,
        "cls": torch.cat([each["labels"].to(images.device, dtype) for each in target])[:, None],
        "batch_idx": torch.arange(len(target), device=images.device).repeat_interleave(counts).to(dtype),
    }


def _as_picture(image: Tensor) -> np.ndarray:
    """A fused image (C, H, W) as ultralytics keeps pictures: (H, W, 3) uint8, blue first."""
    levels = (image.detach().clamp(0, 1) * 255).round().to("cpu", torch.uint8)
    return np.ascontiguousarray(levels.expand(3, -1, -1).flip(0).permute(1, 2, 0).numpy())
