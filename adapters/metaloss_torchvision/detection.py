"""A detector of torchvision as a task."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from metaloss_frameworks.batch_norm import enough_for_batch_norm
from metaloss_frameworks.classes import class_names
from metaloss_frameworks.colour import as_rgb
from metaloss_frameworks.framework_call import framework_call
from torch import Tensor
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.ssd import SSD
from torchvision.models.detection.transform import GeneralizedRCNNTransform

import metaloss
from metaloss.data import check_detections
from metaloss.data.boxes import Target
from metaloss.runtime.modes import evaluating, flags_kept
from metaloss_torchvision.evaluators import DetectionEvaluator
from metaloss_torchvision.models import build_network, load_weights

Prediction = dict[str, Tensor]


class DetectionTask(metaloss.TaskAdapter):
    """Object detection on fused images: loss and prediction are torchvision's own, and the score is COCO's.

    A batch is padded below and at the right, to a multiple of 32, and not resized. SSD and SSDlite are networks of one
    input size (300 and 320): for them the image is resized inside the graph; boxes move along, and predictions back.

    Args:
        model: one of ``torchvision.models.list_models(module=torchvision.models.detection)``.
        num_classes: kinds of object to tell apart, without a background; default: as many as ``classes`` names.
        checkpoint: a local weight file; entries that belong to another number of classes are left out.
        classes: their names, for whoever shows predictions.

    Raises:
        ConfigError: no classes.
        CheckpointError: a weight file that does not fit the network.
    """

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
        self.classes = class_names(num_classes, classes, least=1, purpose="detection needs at least one class")
        # these two have a class 0 of their own, the background; the others' classes begin with 0
        self.first = 1 if model.startswith(("fasterrcnn", "ssd")) else 0
        self.detector = build_network(model, len(self.classes) + self.first)
        if not isinstance(self.detector, SSD):
            self.detector.transform = _Unresized.like(self.detector.transform)
        if checkpoint is not None:
            load_weights(self.detector, checkpoint)

    def forward(self, fused: Tensor, target: Sequence[Target]) -> dict[str, Tensor]:
        """Measures the detector's own losses.

        Args:
            fused: of shape (B, 1, H, W) grey or (B, 3, H, W) RGB, in [0, 1].
            target: per image ``boxes`` (N, 4) xyxy in pixels and ``labels`` (N,) int64; N may be 0.

        Returns:
            torchvision's named losses, each name with "loss" in it.

        Raises:
            ShapeError: targets of another form, or a batch too small for batch norm.
            DataError: a label that is no class, or a box that is not finite or has no area.
        """
        target = check_detections(target, len(fused), len(self.classes))
        own = [
            {
                "boxes": each["boxes"].to(fused.device, fused.dtype),
                "labels": each["labels"].to(fused.device) + self.first,
            }
            for each in target
        ]
        draws = nullcontext() if self.training else _same_draws(fused.device)
        with flags_kept(self), draws, self._call("give a loss", fused), enough_for_batch_norm(self.model, fused):
            for part in self._in_charge():
                part.training = True  # gives losses; the layers keep their own modes
            losses = self.detector(list(as_rgb(fused)), own)
        return {name if "loss" in name else f"loss_{name}": value for name, value in losses.items()}

    def predict(self, fused: Tensor) -> list[Prediction]:
        """Detects, without gradient and in evaluation mode.

        Args:
            fused: of shape (B, 1, H, W) or (B, 3, H, W), in [0, 1].

        Returns:
            Per image ``boxes`` (N, 4) xyxy in pixels of the fused image, ``scores`` (N,) and ``labels`` (N,) from 0,
            as many and as weak as torchvision's own settings for the network leave.
        """
        with evaluating(self), torch.no_grad(), self._call("predict", fused):
            found = self.detector(list(as_rgb(fused)))
        return [{**each, "labels": each["labels"] - self.first} for each in found]

    def evaluator(self) -> DetectionEvaluator:
        """Makes a fresh evaluator: COCO's metric (mAP, mAP50, mAP75, in percent)."""
        return DetectionEvaluator(len(self.classes))

    def _call(self, doing: str, fused: Tensor) -> AbstractContextManager[None]:
        size = (fused.shape[-2], fused.shape[-1])
        return framework_call(f"model {self.model!r}", doing, image_size=size)

    def _in_charge(self) -> list[torch.nn.Module]:
        """The modules that choose between losses and predictions by their own mode."""
        proposing = isinstance(self.detector, FasterRCNN)
        return [self.detector, self.detector.rpn, self.detector.roi_heads] if proposing else [self.detector]


@contextmanager
def _same_draws(device: torch.device) -> Iterator[None]:
    """Draws alike every time, and leaves the generators as they were: Faster R-CNN draws the boxes it learns from."""
    on_cuda = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_cuda else []):
        torch.default_generator.manual_seed(0)
        if on_cuda:
            torch.cuda.default_generators[device.index].manual_seed(0)
        yield


class _Unresized(GeneralizedRCNNTransform):
    """torchvision's normalisation and padding, without its resize."""

    @classmethod
    def like(cls, transform: GeneralizedRCNNTransform) -> _Unresized:
        return cls(
            transform.min_size,
            transform.max_size,
            transform.image_mean,
            transform.image_std,
            size_divisible=transform.size_divisible,
        )

    def resize(self, image: Tensor, target: Prediction | None = None) -> tuple[Tensor, Prediction | None]:
        return image, target
