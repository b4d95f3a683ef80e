"""A segmentation network of torchvision as a task."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from metaloss_frameworks.batch_norm import enough_for_batch_norm
from metaloss_frameworks.classes import class_names
from metaloss_frameworks.colour import as_rgb
from metaloss_frameworks.framework_call import framework_call
from torch import Tensor

import metaloss
from metaloss.data import check_class_ids
from metaloss.runtime.modes import evaluating
from metaloss_torchvision.evaluators import IGNORED, SegmentationEvaluator
from metaloss_torchvision.models import build_network, load_weights

# of the images that torchvision's weights, of networks and of backbones, have learnt from
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
AUXILIARY = 0.5  # as in torchvision's reference training


class SegmentationTask(metaloss.TaskAdapter):
    """Semantic segmentation of fused images by cross entropy, with the auxiliary classifier's where there is one.

    Args:
        model: one of ``torchvision.models.list_models(module=torchvision.models.segmentation)``.
        num_classes: classes to tell apart, background included; default: as many as ``classes`` names.
        checkpoint: a local weight file; entries that belong to another number of classes are left out.
        classes: their names, for whoever shows predictions.

    Raises:
        ConfigError: fewer than two classes.
        CheckpointError: a weight file that does not fit the network.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        model: str,
        num_classes: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        classes: Sequence[str] | int | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.classes = class_names(
            num_classes, classes, least=2, purpose="segmentation tells at least two classes apart"
        )
        self.segmentor = build_network(model, len(self.classes), aux_loss=True)
        for name, values in (("mean", MEAN), ("std", STD)):
            self.register_buffer(name, torch.tensor(values).view(1, -1, 1, 1), persistent=False)
        if checkpoint is not None:
            load_weights(self.segmentor, checkpoint)

    def forward(self, fused: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Measures the cross entropy over the pixels that are not ignored.

        Args:
            fused: of shape (B, 1, H, W) grey or (B, 3, H, W) RGB, in [0, 1].
            target: class ids (B, H, W), int64; 255 is ignored.

        Returns:
            ``loss``, and ``aux_loss``, half the auxiliary classifier's, where there is one.

        Raises:
            ShapeError: ids of another form, or a batch too small for batch norm.
            DataError: an id that is no class.
        """
        target = check_class_ids(target, fused, len(self.classes), ignore=IGNORED)
        found = self._logits(fused)
        losses = {"loss": _cross_entropy(found["out"], target)}
        if "aux" in found:
            losses["aux_loss"] = AUXILIARY * _cross_entropy(found["aux"], target)
        return losses

    def predict(self, fused: Tensor) -> Tensor:
        """Segments, without gradient and in evaluation mode.

        Args:
            fused: of shape (B, 1, H, W) or (B, 3, H, W), in [0, 1].

        Returns:
            Logits of shape (B, num_classes, H, W); ``argmax(1)`` gives class ids.
        """
        with evaluating(self), torch.no_grad():
            return self._logits(fused)["out"]

    def evaluator(self) -> SegmentationEvaluator:
        """Makes a fresh evaluator: mIoU, mAcc, aAcc in percent, as MMSegmentation defines them."""
        return SegmentationEvaluator(len(self.classes))

    def _logits(self, fused: Tensor) -> dict[str, Tensor]:
        size = (fused.shape[-2], fused.shape[-1])
        call = framework_call(f"model {self.model!r}", "segment", image_size=size)
        with call, enough_for_batch_norm(self.model, fused):
            image = (as_rgb(fused) - self.mean) / self.std
            found: dict[str, Tensor] = self.segmentor(image)
        return found


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """The mean over pixels that are not ignored; zero where all are."""
    total = F.cross_entropy(logits, target, ignore_index=IGNORED, reduction="sum")
    return total / (target != IGNORED).sum().clamp_min(1)
