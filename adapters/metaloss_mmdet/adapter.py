"""A detector of MMDetection as a task."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from metaloss_frameworks.classes import class_names
from metaloss_frameworks.openmmlab.batch_norm import with_batch_norm_that_runs
from metaloss_frameworks.openmmlab.inputs import mean_losses, prepare
from metaloss_frameworks.openmmlab.weights import load_weights
from metaloss_frameworks.quiet import quiet, without_warnings
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch import Tensor

import metaloss
from metaloss.data import check_detections
from metaloss.data.boxes import Target
from metaloss.errors import ConfigError
from metaloss.modes import evaluating, flags_kept
from metaloss_mmdet.configs import load_config, model_config
from metaloss_mmdet.evaluator import DetectionEvaluator
from metaloss_mmdet.framework import MODELS, DetDataSample, register_all_modules

# torch's, about how MMDetection calls it
_OUTDATED = ("torch.meshgrid", "To copy construct from a tensor")


class DetectionTask(metaloss.TaskAdapter):
    """Object detection on fused images: loss, prediction and score are MMDetection's own.

    Args:
        config: a file, an ``mmdet::`` name, or a Config.
        num_classes: kinds of object to tell apart.
        checkpoint: a local weight file; entries that belong to another number of classes are left out.
        classes: their names, for the score.

    Raises:
        ConfigError: no such config, no classes, or a detector that learns from masks.
        CheckpointError: a weight file that does not fit the network.
    """

    def __init__(
        self,
        *,
        config: str | os.PathLike[str] | Config,
        num_classes: int,
        checkpoint: str | os.PathLike[str] | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self.classes = class_names(num_classes, classes, least=1, purpose="detection needs at least one class")
        with DefaultScope.overwrite_default_scope("mmdet"), quiet():
            register_all_modules(init_default_scope=False)
            self.detector = MODELS.build(model_config(load_config(config), num_classes))
            self.detector.init_weights()
        if getattr(self.detector, "with_mask", False):
            name = type(self.detector).__name__
            raise ConfigError(f"{name} learns from masks, and targets are boxes: give a box detector's config")
        self.detector = with_batch_norm_that_runs(self.detector)
        if checkpoint is not None:
            load_weights(self.detector, checkpoint)

    def forward(self, fused: Tensor, target: Sequence[Target]) -> dict[str, Tensor]:
        """Measures the detector's own losses.

        Args:
            fused: of shape (B, 1, H, W) grey or (B, 3, H, W) RGB, in [0, 1].
            target: per image ``boxes`` (N, 4) xyxy in pixels and ``labels`` (N,) int64; N may be 0.

        Returns:
            The named losses and accuracies; those of several levels or layers are summed.

        Raises:
            ShapeError: targets of another form.
        """
        target = check_detections(target, len(fused))
        inputs, samples = self._prepare(fused)
        for sample, each in zip(samples, target, strict=True):
            boxes = each["boxes"].to(inputs.device, inputs.dtype)
            sample.gt_instances = InstanceData(bboxes=boxes, labels=each["labels"].to(inputs.device))
        with without_warnings(*_OUTDATED), flags_kept(self):
            self.detector.training = True  # its layers keep their own modes: some give a loss in training alone
            return mean_losses(self.detector(inputs, samples, mode="loss"))

    def predict(self, fused: Tensor) -> list[DetDataSample]:
        """Detects, without gradient and in evaluation mode.

        Args:
            fused: of shape (B, 1, H, W) or (B, 3, H, W), in [0, 1].

        Returns:
            One ``DetDataSample`` per image, with ``pred_instances`` in pixels of the fused image.
        """
        inputs, samples = self._prepare(fused)
        with evaluating(self), torch.no_grad(), without_warnings(*_OUTDATED):
            return list(self.detector(inputs, samples, mode="predict"))

    def evaluator(self) -> DetectionEvaluator:
        """Makes a fresh evaluator: MMDetection's own COCO metric (mAP, mAP50, mAP75, in 0..1)."""
        return DetectionEvaluator(self.classes)

    def _prepare(self, fused: Tensor) -> tuple[Tensor, list[DetDataSample]]:
        """The detector's data preprocessor, inside the graph; padding is below and at the right: boxes stay."""
        image = prepare(self.detector.data_preprocessor, fused)
        padded = tuple(image.shape[-2:])
        size = (fused.shape[-2], fused.shape[-1])
        metainfo = {
            "ori_shape": size,
            "img_shape": size,
            "pad_shape": padded,
            "batch_input_shape": padded,
            "scale_factor": (1.0, 1.0),
        }
        return image, [DetDataSample(metainfo=metainfo) for _ in range(len(fused))]
