"""A detector of MMDetection as a task."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from metaloss_frameworks.classes import class_names
from metaloss_frameworks.framework_call import framework_call
from metaloss_frameworks.openmmlab.batch_norm import with_batch_norm_that_runs
from metaloss_frameworks.openmmlab.build import build_network
from metaloss_frameworks.openmmlab.configs import name_of
from metaloss_frameworks.openmmlab.inputs import mean_losses, prepare
from metaloss_frameworks.openmmlab.weights import load_weights
from metaloss_frameworks.quiet import without_warnings
from mmengine.config import Config
from mmengine.structures import BaseDataElement, InstanceData
from torch import Tensor

import metaloss
from metaloss.data import check_detections
from metaloss.data.boxes import Target
from metaloss.errors import ConfigError
from metaloss.runtime.modes import evaluating, flags_kept
from metaloss_mmdet import framework
from metaloss_mmdet.completion import complete, known_epoch
from metaloss_mmdet.configs import load_config, model_config
from metaloss_mmdet.evaluator import DetectionEvaluator
from metaloss_mmdet.framework import DetDataSample, MaskedConv2d

# about how MMDetection calls torch, and itself
_OUTDATED = ("torch.meshgrid", "To copy construct from a tensor", "DeprecationWarning: ")


class DetectionTask(metaloss.TaskAdapter):
    """Object detection on fused images: loss, prediction and score are MMDetection's own.

    Args:
        config: a file, an ``mmdet::`` name, or a Config.
        num_classes: kinds of object to tell apart; default: as many as ``classes`` names.
        checkpoint: a local weight file; entries that belong to another number of classes are left out.
        classes: their names, for the score.

    Raises:
        ConfigError: no such config, no classes, a model that learns from more or less than boxes, a package that is
            missing, or whatever else keeps MMDetection from building it.
        CheckpointError: a weight file that does not fit the network.
    """

    def __init__(
        self,
        *,
        config: str | os.PathLike[str] | Config,
        num_classes: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        classes: Sequence[str] | int | None = None,
    ) -> None:
        super().__init__()
        self.classes = class_names(num_classes, classes, least=1, purpose="detection needs at least one class")
        self.name = name_of(config)
        self.detector, self.own_size = build_network(
            config, len(self.classes), scope="mmdet", framework=framework, load=load_config, model_config=model_config
        )
        if getattr(self.detector, "with_mask", False):
            kind = type(self.detector).__name__
            raise ConfigError(
                f"{self.name}: its {kind} learns from masks, and targets are boxes: give a box detector's"
            )
        complete(self.detector)
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
            ShapeError: targets of another form, or images of a size that the detector does not take.
            DataError: a label that is no class, or a box without area.
            ConfigError: anything else that MMDetection raises.
        """
        target = check_detections(target, len(fused), len(self.classes))
        inputs, samples = self._prepare(fused)
        for sample, each in zip(samples, target, strict=True):
            boxes = each["boxes"].to(inputs.device, inputs.dtype)
            labels = each["labels"].to(inputs.device)
            sample.gt_instances = InstanceData(bboxes=boxes, labels=labels)
            sample.ignored_instances = InstanceData(bboxes=boxes[:0], labels=labels[:0])
        with without_warnings(*_OUTDATED), flags_kept(self), known_epoch(), self._call("give a loss", fused):
            self.detector.training = True  # its layers keep their own modes: some give a loss in training alone
            losses = self.detector(inputs, samples, mode="loss")
        return mean_losses(losses)

    def predict(self, fused: Tensor) -> list[DetDataSample]:
        """Detects, without gradient and in evaluation mode.

        Args:
            fused: of shape (B, 1, H, W) or (B, 3, H, W), in [0, 1].

        Returns:
            One ``DetDataSample`` per image, with ``pred_instances`` in pixels of the fused image.

        Raises:
            ShapeError: images of a size that the detector does not take.
            ConfigError: anything else that MMDetection raises.
        """
        inputs, samples = self._prepare(fused)
        with evaluating(self), torch.no_grad(), without_warnings(*_OUTDATED), self._call("predict", fused):
            # convolutions of chosen places (guided anchoring) take one image at a time
            count = 1 if any(isinstance(part, MaskedConv2d) for part in self.detector.modules()) else len(samples)
            return [
                found
                for first in range(0, len(samples), count)
                for found in self.detector(
                    inputs[first : first + count], samples[first : first + count], mode="predict"
                )
            ]

    def evaluator(self) -> DetectionEvaluator:
        """Makes a fresh evaluator: MMDetection's own COCO metric (mAP, mAP50, mAP75, in percent)."""
        return DetectionEvaluator(self.classes)

    @contextmanager
    def _call(self, doing: str, fused: Tensor) -> Iterator[None]:
        """A call of the detector; what it looks for besides boxes, and does not find, is named."""
        size = (fused.shape[-2], fused.shape[-1])
        with framework_call(self.name, doing, image_size=size, own_size=self.own_size):
            try:
                yield
            except AttributeError as error:
                if not isinstance(error.obj, BaseDataElement):
                    raise
                raise ConfigError(
                    f"{type(self.detector).__name__} learns from {error.name!r} besides boxes, and a target has only "
                    "those: choose a detector that learns from boxes alone"
                ) from error

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
            "border": (0.0, float(size[0]), 0.0, float(size[1])),  # of the image in what CenterNet pads
        }
        return image, [DetDataSample(metainfo=metainfo) for _ in range(len(fused))]
