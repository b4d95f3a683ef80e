"""Which items an epoch's steps see (TDFusion Sec. 3.3 and Algorithm 1), reproducibly.

Everything random about an epoch follows from a seed and the epoch's number alone: the halves, the
order, the crops and the exchanges. Each item's torch, NumPy and Python generators start from the item's
own seed, which follows from the run's seed, the epoch, the phase and its place there: what a data set
draws from them, for augmentation say, is the same with any number of workers and after a resume. (A
generator that the data set keeps for itself is its own affair.) Reading moves no generator of the training.

With several processes, each loads its own share of every batch: the W shares together are the batch
that one process with W times the batch size would load, to the crop and the exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from metaloss.batch import FusionBatch
from metaloss.data.collating import collate
from metaloss.data.exchange import draw_order, reorder_sources
from metaloss.data.loader import Loader
from metaloss.data.seeds import seeded
from metaloss.data.views import Size, make_views
from metaloss.errors import ConfigError, DataError
from metaloss.runtime import processes

Item = TypeVar("Item")


class Draw(NamedTuple):
    """One item of one batch.

    Attributes:
        item: its number in the data set.
        seed: of its crop, and of what the data set draws for it.
        place: its place in the batch of all processes together.
        batch_size: how many items that batch has.
        batch_seed: of that batch's exchange.
    """

    item: int
    seed: int
    place: int
    batch_size: int
    batch_seed: int


@dataclass(frozen=True, kw_only=True)
class Episodes:
    """The batches of Algorithm 1, epoch by epoch.

    Attributes:
        dataset: items with the keys of :class:`metaloss.FusionBatch`.
        batch_size: items per batch of each process.
        meta_steps: M, meta steps per epoch.
        fusion_crop: (h, w) of the fusion loss's view, or ``None``.
        task_size: (H, W) of the task's view, or ``None``.
        exchange: whether the sources are permuted in half of each batch.
        seed: of everything drawn.
        num_workers: processes that load items, for each training process.
        rank: the number of this process among those that train together.
        world_size: W, how many they are.

    Raises:
        ConfigError: no data set whose items have numbers.
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
    rank: int = field(default_factory=processes.rank)
    world_size: int = field(default_factory=processes.world_size)
    length: int = field(init=False)

    def __post_init__(self) -> None:
        if isinstance(self.dataset, DataLoader):
            raise ConfigError("the training set is a DataLoader: give its data set, of which batches are made here")
        if not hasattr(self.dataset, "__len__") or not hasattr(self.dataset, "__getitem__"):
            raise ConfigError(
                f"the training set is of {type(self.dataset).__name__}: expected a data set with len(...) and items by "
                "number; metaloss.data.PairedDataset(folder) reads folders"
            )
        object.__setattr__(self, "length", len(self.dataset))
        if self.length < 2:
            raise DataError(
                f"the training set has {self.length} item{'s' * (self.length != 1)}: meta-learning splits it into "
                "two disjoint halves, so it needs at least two"
            )

    @property
    def whole_batch_size(self) -> int:
        """Items per batch of all processes together."""
        return self.batch_size * self.world_size

    @property
    def fusion_steps(self) -> int:
        """N: fusion steps per epoch, one pass over all items."""
        return -(-self.length // self.whole_batch_size)

    @property
    def smallest_batch(self) -> int:
        """The fewest items that a step of one process sees."""
        size = self.whole_batch_size
        sizes = [self.length % size or size] + [min(size, self.length // 2)] * (self.meta_steps > 0)
        return -(-min(sizes) // self.world_size)

    def meta(self, epoch: int, skip: int = 0) -> Iterator[tuple[FusionBatch, FusionBatch]]:
        """Gives epoch's M pairs of meta-train and meta-test batches, from disjoint halves, but for the first ones.

        Args:
            epoch: from 0.
            skip: how many pairs to leave out at the beginning, without loading them.
        """
        if self.meta_steps <= skip:
            return
        generator = self._generator(epoch, 0)
        shuffled = torch.randperm(self.length, generator=generator).tolist()
        halves = shuffled[: self.length // 2], shuffled[self.length // 2 :]
        loaders = [self._load(self._cycled(half, generator), generator, skip) for half in halves]
        yield from zip(*loaders, strict=True)

    def fusion(self, epoch: int, skip: int = 0) -> Iterator[FusionBatch]:
        """Gives epoch's N fusion batches, every item once, in a new order, but for the first ones.

        Args:
            epoch: from 0.
            skip: how many batches to leave out at the beginning, without loading them.
        """
        generator = self._generator(epoch, 1)
        order = torch.randperm(self.length, generator=generator).tolist()
        size = self.whole_batch_size
        batches = [order[start : start + size] for start in range(0, self.length, size)]
        yield from self._load(batches, generator, skip)

    def _generator(self, epoch: int, phase: int) -> torch.Generator:
        mixed = torch.Generator().manual_seed(self.seed)
        for number in (epoch, phase):
            mixed.manual_seed(int(torch.randint(2**62, (), generator=mixed)) + number)
        return mixed

    def _cycled(self, indices: list[int], generator: torch.Generator) -> list[list[int]]:
        size = min(self.whole_batch_size, len(indices))
        batches: list[list[int]] = []
        while len(batches) < self.meta_steps:
            order = [indices[place] for place in torch.randperm(len(indices), generator=generator).tolist()]
            batches += [order[start : start + size] for start in range(0, len(order) - size + 1, size)]
        return batches[: self.meta_steps]

    def _load(self, batches: list[list[int]], generator: torch.Generator, skip: int) -> Loader:
        seeds = torch.randint(2**62, (sum(map(len, batches)),), generator=generator).tolist()
        fresh = iter(seeds)
        drawn = [[(index, next(fresh)) for index in batch] for batch in batches]
        whole = [
            [Draw(*pair, place, len(pairs), pairs[0][1] + 1) for place, pair in enumerate(pairs)] for pairs in drawn
        ]
        return Loader(
            _Views(self),
            batch_sampler=[share(draws, self.rank, self.world_size) for draws in whole[skip:]],
            collate_fn=self._collate,
            num_workers=self.num_workers,
            generator=generator,
        )

    def _collate(self, drawn: list[tuple[Draw, dict[str, Any]]]) -> FusionBatch:
        batch = collate([item for _, item in drawn])
        if not self.exchange:
            return batch
        first = drawn[0][0]
        generator = torch.Generator().manual_seed(first.batch_seed)
        order = draw_order(first.batch_size, len(batch.sources), generator)
        return reorder_sources(batch, order[[draw.place for draw, _ in drawn]])


def share(batch: Sequence[Item], rank: int, world_size: int) -> list[Item]:
    """The part of a batch that one process takes: of equal size for all, never empty.

    Args:
        batch: items; where they do not divide, the first ones are taken again at the end.
        rank: the number of the process.
        world_size: how many there are.

    Returns:
        Neighbours in the batch.
    """
    size = -(-len(batch) // world_size)
    return [batch[place % len(batch)] for place in range(rank * size, (rank + 1) * size)]


class _Views(Dataset[Any]):
    def __init__(self, episodes: Episodes) -> None:
        self.episodes = episodes

    def __getitem__(self, draw: Draw) -> tuple[Draw, dict[str, Any]]:
        episodes = self.episodes
        with seeded(draw.seed):
            drawn = episodes.dataset[draw.item]
        item = make_views(
            drawn,
            fusion_crop=episodes.fusion_crop,
            task_size=episodes.task_size,
            generator=torch.Generator().manual_seed(draw.seed),
        )
        return draw, item
