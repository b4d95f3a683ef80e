"""The task of a torchvision network: which of the two kinds it is follows from its name."""

from __future__ import annotations

import os
from collections.abc import Sequence

from metaloss_torchvision.detection import DetectionTask
from metaloss_torchvision.models import is_detector
from metaloss_torchvision.segmentation import SegmentationTask


def build_torchvision(
    *,
    model: str,
    num_classes: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    classes: Sequence[str] | int | None = None,
) -> SegmentationTask | DetectionTask:
    """Makes the task of a network with fresh weights.

    Args:
        model: one of torchvision's segmentation or detection networks, ``"fcn_resnet50"`` say.
        num_classes: classes to tell apart; for segmentation the background is one of them, for detection not;
            default: as many as ``classes`` names.
        checkpoint: a local weight file; entries that belong to another number of classes are left out.
        classes: their names.

    Raises:
        ConfigError: no such network, one that learns from masks or keypoints, or too few classes.
        CheckpointError: a weight file that does not fit the network.
    """
    task = DetectionTask if is_detector(model) else SegmentationTask
    return task(model=model, num_classes=num_classes, checkpoint=checkpoint, classes=classes)
