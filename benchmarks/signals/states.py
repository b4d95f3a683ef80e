"""Networks after some epochs of fusion steps with the loss's first weights: where meta-learning begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from benchmarks.evidence.tasks import Segmentation, seeded
from examples.small_networks import SmallFusion, SmallGenerator
from examples.unet import UNet
from metaloss import LearnableFusionLoss, MetaLearner
from metaloss.data import Episodes, SyntheticScenes
from metaloss.networks import Concatenated, LossGenerator, ReFusionNet
from metaloss.plugins import build_task

SIZE = (72, 96)
CLASSES = ("background", "person", "sign", "car")
SEGFORMER = "mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py"


class State(NamedTuple):
    """Networks with their optimizers, and scenes.

    Attributes:
        learner: with the networks; its optimizers hold the moments of the warm-up.
        scenes: that it has learned from.
    """

    learner: MetaLearner
    scenes: SyntheticScenes

    def pairs(self, count: int) -> Episodes:
        """Pairs of batches of two scenes each."""
        return Episodes(dataset=self.scenes, meta_steps=count, exchange=False, seed=1)


def _segformer() -> nn.Module:
    return build_task("mmseg", config=SEGFORMER, classes=CLASSES)


def _yolo() -> nn.Module:
    return build_task("ultralytics", model="yolov8n.yaml", classes=CLASSES[1:])


def _small_task() -> nn.Module:
    return Segmentation(CLASSES, (1.0, 4.0, 4.0, 4.0))


Make = Callable[[], nn.Module]
PARTS: dict[str, tuple[Make, Make, Make]] = {
    "demo": (ReFusionNet, LossGenerator, _segformer),
    "yolov8": (ReFusionNet, LossGenerator, _yolo),
    "unet": (lambda: Concatenated(UNet()), LossGenerator, _segformer),
    "small": (SmallFusion, SmallGenerator, _small_task),
}
"""F, G and T by name."""


def state_of(name: str, *, epochs: int, alpha: float = 1.0, seed: int = 0) -> State:
    """Warms up the networks of a name on 36 synthetic scenes, with Adam at 1e-3.

    Args:
        name: of ``PARTS``.
        epochs: of fusion steps.
        alpha: of the loss's gradient term.
        seed: of the networks and the scenes' order.
    """
    target = "detection" if name == "yolov8" else "segmentation"
    size = (96, 128) if name == "yolov8" else SIZE  # a multiple of the detector's stride
    scenes = SyntheticScenes(36, size=size, seed=0, target=target)
    fusion, generator, task = (seeded(make, seed) for make in PARTS[name])
    learner = MetaLearner(
        fusion=fusion, loss=LearnableFusionLoss(generator, alpha=alpha), task=task, lr=1e-3, inner_lr=1e-4
    )
    torch.manual_seed(seed)
    learner.fit(scenes, epochs=epochs, meta_steps=0, warmup_epochs=epochs, exchange=False)
    return State(learner, scenes)
