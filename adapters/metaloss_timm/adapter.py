"""A classifier of timm as a task."""

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
from metaloss.data import check_class_numbers
from metaloss.runtime.modes import evaluating
from metaloss_timm.evaluator import ClassificationEvaluator
from metaloss_timm.models import build_model, fixed_size, load_weights, own_size


class ClassificationTask(metaloss.TaskAdapter):
    """Classification of whole fused images by cross entropy.

    The model's own mean and deviation are part of the graph; so is a resize, for models of one input size alone
    (most vision transformers). Other models see the image in its own size.

    Args:
        model: one of ``timm.list_models()``.
        num_classes: classes to tell apart; default: as many as ``classes`` names.
        checkpoint: a local weight file; entries that belong to another number of classes are left out.
        classes: their names, for whoever shows predictions.

    Raises:
        ConfigError: no such model, or fewer than two classes.
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
        self.classes = class_names(
            num_classes, classes, least=2, purpose="classification tells at least two classes apart"
        )
        self.model = model
        self.classifier = build_model(model, num_classes=len(self.classes))
        self.size, given = fixed_size(model), self.classifier.pretrained_cfg
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(given[name]).view(1, -1, 1, 1), persistent=False)
        if checkpoint is not None:
            load_weights(self.classifier, checkpoint)

    def forward(self, fused: Tensor, target: Tensor) -> Tensor:
        """Measures the cross entropy.

        Args:
            fused: of shape (B, 1, H, W) grey or (B, 3, H, W) RGB, in [0, 1].
            target: class numbers (B,), int64.

        Returns:
            0-d, the mean over the scenes.

        Raises:
            ShapeError: targets of another form.
            DataError: a number that is no class.
        """
        target = check_class_numbers(target, fused, len(self.classes))
        return F.cross_entropy(self._logits(fused), target)

    def predict(self, fused: Tensor) -> Tensor:
        """Classifies, without gradient and in evaluation mode.

        Args:
            fused: of shape (B, 1, H, W) or (B, 3, H, W), in [0, 1].

        Returns:
            Probabilities of shape (B, num_classes).
        """
        with evaluating(self), torch.no_grad():
            return self._logits(fused).softmax(1)

    def evaluator(self) -> ClassificationEvaluator:
        """Makes a fresh evaluator: the share of right answers, ``top1``, in percent."""
        return ClassificationEvaluator(len(self.classes))

    def _logits(self, fused: Tensor) -> Tensor:
        image = as_rgb(fused)
        if self.size is not None and image.shape[-2:] != self.size:
            image = F.interpolate(image, self.size, mode="bilinear", antialias=True, align_corners=False)
        image = (image - self.mean) / self.std
        size = (image.shape[-2], image.shape[-1])
        call = framework_call(f"model {self.model!r}", "classify", image_size=size, own_size=own_size(self.classifier))
        with call, enough_for_batch_norm(self.model, fused):
            logits: Tensor = self.classifier(image)
        return logits
