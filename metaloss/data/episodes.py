"""Which items an epoch's steps see (TDFusion Sec. 3.3 and Algorithm 1), reproducibly.

Everything random about an epoch follows from a seed and the epoch's number alone: the halves, the
order, the crops and the exchanges. A run that is resumed at an epoch sees what the first one saw,
with any number of workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset

from metaloss.batch import FusionBatch
from metaloss.data.collate import collate
from metaloss.data.exchange import exchange_sources
from metaloss.data.views import Size, make_views
from metaloss.errors import DataError


class Draw(NamedTuple):
    """One item of one batch: its number, and the seed of its crop."""

    item: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Episodes:
    """The batches of Algorithm 1, epoch by epoch.

    Attributes:
        dataset: items with the keys of :class:`metaloss.FusionBatch`.
        batch_size: items per batch.
        meta_steps: M, meta steps per epoch.
        fusion_crop: (h, w) of the fusion loss's view, or ``None``.
        task_size: (H, W) of the task's view, or ``None``.
        exchange: whether the sources are permuted in half of each batch.
        seed: of everything drawn.
        num_workers: processes that load items.

    Raises:
        DataError: too few items for two disjoint halves.
    """

    dataset: Dataset[Any]
    batch_size: int = 2
    meta_steps: int = 200
    fusion_crop: Size | None = None
    task_size: Size | None = None
    exchange: bool = True
    seed: int = 0
    num_workers: int = 0
    length: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", len(self.dataset))  # type: ignore[arg-type]
        if self.length < 2:
            raise DataError(
                f"the training set has {self.length} item{'s' * (self.length != 1)}: meta-learning splits it into "
                "two disjoint halves, so it needs at least two"
            )

    @property
    def fusion_steps(self) -> int:
        """N: fusion steps per epoch, one pass over all items."""
        return -(-self.length // self.batch_size)

    def meta(self, epoch: int) -> Iterator[tuple[FusionBatch, FusionBatch]]:
        """Gives epoch's M pairs of meta-train and meta-test batches, from disjoint halves."""
        if self.meta_steps == 0:
            return
        generator = self._generator(epoch, 0)
        shuffled = torch.randperm(self.length, generator=generator).tolist()
        halves = shuffled[: self.length // 2], shuffled[self.length // 2 :]
        loaders = [self._load(self._cycled(half, generator), generator) for half in halves]
        yield from zip(*loaders, strict=True)

    def fusion(self, epoch: int) -> Iterator[FusionBatch]:
        """Gives epoch's N fusion batches: every item once, in a new order."""
        generator = self._generator(epoch, 1)
        order = torch.randperm(self.length, generator=generator).tolist()
        batches = [order[start : start + self.batch_size] for start in range(0, self.length, self.batch_size)]
        yield from self._load(batches, generator)

    def _generator(self, epoch: int, phase: int) -> torch.Generator:
        mixed = torch.Generator().manual_seed(self.seed)
        for number in (epoch, phase):
            mixed.manual_seed(int(torch.randint(2**62, (), generator=mixed)) + number)
        return mixed

    def _cycled(self, indices: list[int], generator: torch.Generator) -> list[list[int]]:
        size = min(self.batch_size, len(indices))
        batches: list[list[int]] = []
        while len(batches) < self.meta_steps:
            order = [indices[place] for place in torch.randperm(len(indices), generator=generator).tolist()]
            batches += [order[start : start + size] for start in range(0, len(order) - size + 1, size)]
        return batches[: self.meta_steps]

    def _load(self, batches: list[list[int]], generator: torch.Generator) -> DataLoader[FusionBatch]:
        seeds = torch.randint(2**62, (sum(map(len, batches)),), generator=generator).tolist()
        fresh = iter(seeds)
        return DataLoader(
            _Views(self),
            batch_sampler=[[Draw(index, next(fresh)) for index in batch] for batch in batches],
            collate_fn=self._collate,
            num_workers=self.num_workers,
            generator=generator,
        )

    def _collate(self, drawn: list[tuple[Draw, dict[str, Any]]]) -> FusionBatch:
        batch = collate([item for _, item in drawn])
        if not self.exchange:
            return batch
        return exchange_sources(batch, torch.Generator().manual_seed(drawn[0][0].seed + 1))


class _Views(Dataset[Any]):
    def __init__(self, episodes: Episodes) -> None:
        self.episodes = episodes

    def __getitem__(self, draw: Draw) -> tuple[Draw, dict[str, Any]]:
        episodes = self.episodes
        generator = torch.Generator().manual_seed(draw.seed)
        item = make_views(
            episodes.dataset[draw.item],
            fusion_crop=episodes.fusion_crop,
            task_size=episodes.task_size,
            generator=generator,
        )
        return draw, item
