"""A segmentation network of MMSegmentation as a task."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch
import torch.nn.functional as F
from metaloss_frameworks.classes import class_names
from metaloss_frameworks.framework_call import framework_call
from metaloss_frameworks.openmmlab.batch_norm import with_batch_norm_that_runs
from metaloss_frameworks.openmmlab.build import build_network
from metaloss_frameworks.openmmlab.configs import name_of
from metaloss_frameworks.openmmlab.inputs import mean_losses, prepare
from metaloss_frameworks.openmmlab.weights import load_weights
from mmengine.config import Config
from mmengine.structures import PixelData
from torch import Tensor

import metaloss
from metaloss.data import check_class_ids
from metaloss.errors import ConfigError
from metaloss.runtime.modes import evaluating
from metaloss_mmseg import framework
from metaloss_mmseg.configs import load_config, model_config
from metaloss_mmseg.evaluator import SegmentationEvaluator
from metaloss_mmseg.framework import SegDataSample

IGNORED = 255


class SegmentationTask(metaloss.TaskAdapter):
    """Semantic segmentation of fused images: loss, prediction and score are MMSegmentation's own.

    Args:
        config: a file, an ``mmseg::`` name, or a Config.
        num_classes: classes to tell apart, background included; default: as many as ``classes`` names.
        checkpoint: a local weight file; entries that belong to another number of classes are left out.
        classes: their names, for the score's table.

    Raises:
        ConfigError: no such config, fewer than two classes, a package that is missing, or whatever else keeps
            MMSegmentation from building it.
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
        self.classes = class_names(
            num_classes, classes, least=2, purpose="segmentation tells at least two classes apart"
        )
        self.name = name_of(config)
        self.segmentor, self.own_size = build_network(
            config, len(self.classes), scope="mmseg", framework=framework, load=load_config, model_config=model_config
        )
        self.segmentor = with_batch_norm_that_runs(self.segmentor)
        if checkpoint is not None:
            load_weights(self.segmentor, checkpoint)

    def forward(self, fused: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Measures the segmentor's own losses.

        Args:
            fused: of shape (B, 1, H, W) grey or (B, 3, H, W) RGB, in [0, 1].
            target: class ids (B, H, W), int64; 255 is ignored.

        Returns:
            The named losses and accuracies.

        Raises:
            ShapeError: targets of another form, or images of a size that the network does not take.
            DataError: an id that is no class and not the ignored one.
            ConfigError: a network that learns from more than class ids, or anything else that MMSegmentation raises.
        """
        target = check_class_ids(target, fused, len(self.classes), ignore=IGNORED)
        inputs, samples = self._prepare(fused)
        right, down = inputs.shape[-1] - fused.shape[-1], inputs.shape[-2] - fused.shape[-2]
        padded = F.pad(target, (0, right, 0, down), value=IGNORED)
        for sample, ids in zip(samples, padded, strict=True):
            sample.gt_sem_seg = PixelData(data=ids.unsqueeze(0))
        with self._call("give a loss", fused):
            try:
                losses = self.segmentor(inputs, samples, mode="loss")
            except AttributeError as error:
                if not isinstance(error.obj, SegDataSample):
                    raise
                raise ConfigError(
                    f"{type(self.segmentor.decode_head).__name__} learns from {error.name!r} besides class ids, "
                    "and a target has only those: choose a network that learns from class ids alone"
                ) from error
        return mean_losses(losses)

    def predict(self, fused: Tensor) -> list[SegDataSample]:
        """Segments, without gradient and in evaluation mode.

        Args:
            fused: of shape (B, 1, H, W) or (B, 3, H, W), in [0, 1].

        Returns:
            One ``SegDataSample`` per image, with ``pred_sem_seg`` and ``seg_logits`` of the image's size.

        Raises:
            ShapeError: images of a size that the network does not take.
            ConfigError: anything else that MMSegmentation raises.
        """
        inputs, samples = self._prepare(fused)
        with evaluating(self), torch.no_grad(), self._call("predict", fused):
            return list(self.segmentor(inputs, samples, mode="predict"))

    def evaluator(self) -> SegmentationEvaluator:
        """Makes a fresh evaluator: MMSegmentation's own IoU metric (mIoU, mAcc, aAcc in percent)."""
        return SegmentationEvaluator(self.classes, IGNORED)

    def _call(self, doing: str, fused: Tensor) -> AbstractContextManager[None]:
        size = (fused.shape[-2], fused.shape[-1])
        return framework_call(self.name, doing, image_size=size, own_size=self.own_size)

    def _prepare(self, fused: Tensor) -> tuple[Tensor, list[SegDataSample]]:
        """The segmentor's data preprocessor, inside the graph: channels, range, mean and std, padding."""
        image = prepare(self.segmentor.data_preprocessor, fused)
        height, width = fused.shape[-2:]
        shape = {
            "ori_shape": (height, width),
            "img_shape": tuple(image.shape[-2:]),
            "pad_shape": tuple(image.shape[-2:]),
        }
        metainfo = {**shape, "padding_size": [0, image.shape[-1] - width, 0, image.shape[-2] - height]}
        return image, [SegDataSample(metainfo=metainfo) for _ in range(len(fused))]
