"""The papers' downstream protocol: a fresh task network, trained on the images of one fixed way of fusing.

What a fusion is worth to a task is seen by a task network that learned from its images alone
(TDFusion, Tables 2 and 4): F is fixed, T starts anew, and T's own metric is the score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import Dataset

from metaloss.colour import luma
from metaloss.data.collating import collate
from metaloss.data.episodes import Episodes
from metaloss.data.images import read_image
from metaloss.data.items import check_item
from metaloss.data.loader import Loader
from metaloss.data.scene_files import images_by_stem
from metaloss.data.views import Resized, Size
from metaloss.errors import CheckpointError, ConfigError, DataError
from metaloss.evaluation.class_means import class_means
from metaloss.hypergradient.functional import gradients
from metaloss.runtime import files
from metaloss.runtime.modes import evaluating
from metaloss.runtime.progress_bar import Advance
from metaloss.tasks.base import TaskAdapter, targets_of, task_loss
from metaloss.training.steps import step_with

Image = Callable[[Mapping[str, Any]], Tensor]
"""Makes the one image (C, H, W) in [0, 1] that a task sees of an item."""


class Images(Dataset[Any]):
    """A data set of which a task sees one image per item.

    Args:
        dataset: items with the keys of :class:`metaloss.FusionBatch`.
        image: makes an item's image. It stands in the place of every source, so that whatever moves items
            moves it too.
    """

    def __init__(self, dataset: Dataset[Any], image: Image) -> None:
        self.dataset, self.image = dataset, image

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> dict[str, Any]:
        item = check_item(self.dataset[index])
        return {**item, "sources": (self.image(item),) * len(item["sources"])}


def source_image(number: int) -> Image:
    """A source alone: what a task can do without fusion."""
    return lambda item: item["sources"][number]


def average_image(item: Mapping[str, Any]) -> Tensor:
    """The mean of the sources."""
    return torch.stack(tuple(item["sources"])).mean(0)


def maximum_image(item: Mapping[str, Any]) -> Tensor:
    """The brightest source, pixel by pixel."""
    return torch.stack(tuple(item["sources"])).amax(0)


class FolderImage:
    """The luma of the file in a folder that has an item's name.

    Args:
        folder: fused images, named as the sources.

    Raises:
        DataError: no such folder.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder of fused images")
        self.folder, self.files = folder, images_by_stem(folder)

    def check(self, names: Sequence[str]) -> None:
        """Checks that there is an image for every name.

        Raises:
            DataError: naming the first that are missing.
        """
        missing = [name for name in names if name not in self.files]
        if missing:
            raise DataError(
                f"{self.folder}: no fused image for {', '.join(missing[:3])}"
                f"{f' and {len(missing) - 3} more' if len(missing) > 3 else ''} of {len(names)} scenes: "
                "fuse the training and the test scenes into one folder"
            )

    def __call__(self, item: Mapping[str, Any]) -> Tensor:
        """Reads the image of an item.

        Raises:
            DataError: there is none, it cannot be read, or it has not the sources' size.
        """
        self.check([item["names"]])
        image = read_image(self.files[item["names"]])
        if image.shape[-2:] != item["sources"][0].shape[-2:]:
            raise DataError(
                f"{self.files[item['names']]} is {image.shape[-1]}x{image.shape[-2]} pixels, its sources are "
                f"{item['sources'][0].shape[-1]}x{item['sources'][0].shape[-2]}"
            )
        return image if len(image) == 1 else luma(image)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long a task network is trained, and on what it looks.

    Attributes:
        epochs: passes over the training scenes.
        batch_size: scenes per batch.
        size: (H, W) that images and targets are resized to, or ``None``.
        num_workers: processes that load data.
    """

    epochs: int
    batch_size: int = 2
    size: Size | None = None
    num_workers: int = 0

    def __post_init__(self) -> None:
        for name, number, least in (("epochs", self.epochs, 1), ("batch_size", self.batch_size, 1)):
            if not isinstance(number, int) or number < least:
                raise ConfigError(f"{name}={number!r}: expected a whole number of at least {least}")


def train_task(
    task: nn.Module,
    optimizer: Optimizer,
    dataset: Dataset[Any],
    budget: Budget,
    *,
    seed: int,
    state: Path | None = None,
    advance: Advance = lambda note: None,
) -> None:
    """Trains a task network on images that do not change (Eq. 9, with F fixed).

    Args:
        task: T, an adapter or any module ``(image, target) -> loss``; trained in place.
        optimizer: of T's parameters.
        dataset: whose first source is the image, such as :class:`Images`.
        budget: how long, and in which size.
        seed: of the order of the scenes: the same for every way of fusing that is compared.
        state: a file written after each epoch; training goes on from it when it is there, to the same result.
        advance: called after every epoch.

    Raises:
        CheckpointError: ``state`` is not from this training.
    """
    device = next(task.parameters()).device
    episodes = Episodes(
        dataset=dataset,
        batch_size=budget.batch_size,
        meta_steps=0,
        task_size=budget.size,
        exchange=False,
        seed=seed,
        num_workers=budget.num_workers,
    )
    params = {name: param for name, param in task.named_parameters() if param.requires_grad}
    first = _resume(task, optimizer, state) if state is not None and state.is_file() else 0
    task.train()
    for _ in range(first):
        advance("")
    for epoch in range(first, budget.epochs):
        for batch in episodes.fusion(epoch):
            batch = batch.to(device)
            loss = task_loss(task, batch.sources[0], targets_of(task, batch))
            step_with(optimizer, task, gradients(loss, params))
        if state is not None:
            content = {"task": task.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch + 1}
            files.save(state, {**content, "random": files.random_state()})
        advance(f"task loss {float(loss.detach()):.3f}")


def _resume(task: nn.Module, optimizer: Optimizer, state: Path) -> int:
    content = files.load(state)
    try:
        task.load_state_dict(content["task"])
        optimizer.load_state_dict(content["optimizer"])
        files.restore_random_state(content["random"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{state}: not from this training ({' '.join(str(error).split())[:120]})") from None
    return int(content["epoch"])


def score_task(
    task: TaskAdapter, dataset: Dataset[Any], budget: Budget, say: Callable[[str], Any] = lambda note: None
) -> dict[str, float]:
    """Scores a task network by its framework's own metrics.

    Args:
        task: T.
        dataset: whose first source is the image.
        budget: batch size and image size.
        say: called with what is to be known of means over classes, where there is something.

    Returns:
        The metrics by name, with those of the data set's protocols.
    """
    device = next(task.parameters()).device
    images = Resized(dataset, budget.size)
    # a loader draws a seed for its workers, from a generator of its own
    loader = Loader(images, batch_size=budget.batch_size, collate_fn=collate, generator=torch.Generator())
    evaluator = task.evaluator()
    with evaluating(task), torch.no_grad():
        for batch in loader:
            batch = batch.to(device)
            evaluator.update(task.predict(batch.sources[0]), targets_of(task, batch))
    metrics, means = evaluator.compute(), class_means(evaluator, dataset)
    if means.note:
        say(means.note)
    return {**metrics, **means.values}
