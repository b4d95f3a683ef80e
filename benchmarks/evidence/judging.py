"""A fresh task network judges images that do not change: fused ones, and as floor and ceiling the sources'."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.evidence.crops import Crops
from benchmarks.evidence.problems import Problem, load
from benchmarks.evidence.settings import Settings
from benchmarks.evidence.tasks import seeded
from metaloss.evaluation.downstream import (
    Budget,
    FolderImage,
    Image,
    Images,
    average_image,
    maximum_image,
    score_task,
    source_image,
    train_task,
)
from metaloss.inference.fuse import fuse_any_size


def simple_images(problem: Problem) -> dict[str, Image]:
    """What can be had without training: each source alone, their average, their maximum, and what others have fused."""
    alone = {name: source_image(number) for number, name in enumerate(problem.sources)}
    published = {name: FolderImage(folder) for name, folder in problem.published.items()}
    return {**alone, "average": average_image, "maximum": maximum_image, **published}


def fused_image(network: nn.Module) -> Image:
    """The image that a fusion network makes of a scene."""

    def image(scene: Mapping[str, Any]) -> torch.Tensor:
        return fuse_any_size(network, [source.unsqueeze(0) for source in scene["sources"]])[0].clamp(0, 1)

    return image


def judge(settings: Settings, image: Image, state: Path | None = None) -> dict[str, float]:
    """Trains a task network on the images of the training scenes, and scores it on those of the test scenes.

    Its rate falls linearly, epoch by epoch: with a constant one the scores are about twice as noisy.

    Args:
        settings: the problem, the seed and the budget.
        image: makes a scene's image.
        state: where training goes on from; see :func:`metaloss.evaluation.train_task`.

    Returns:
        The task's metrics, named with their group where there are several.
    """
    problem = load(settings.data)
    task = seeded(problem.task, settings.seed + 1000)  # not the one that F was trained with
    optimizer = torch.optim.Adam(task.parameters(), lr=settings.task_lr)
    passed = count(1)

    def slow_down(note: str) -> None:
        optimizer.param_groups[0]["lr"] = settings.task_lr * (1 - next(passed) / settings.task_epochs)

    budget = Budget(epochs=settings.task_epochs, batch_size=2)
    crops = Crops(list(Images(problem.train, image)), settings.crops, problem.crop, settings.seed)
    train_task(task, optimizer, crops, budget, seed=settings.seed, state=state, advance=slow_down)
    return {
        f"{name} {group}".strip(): value
        for group, scenes in problem.test.items()
        for name, value in score_task(task, list(Images(scenes, image)), budget).items()
    }
