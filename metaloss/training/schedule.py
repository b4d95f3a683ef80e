"""Algorithm 1 as data: which step comes when, on which batches. Whoever runs it decides what happens in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch.utils.data import Dataset

from metaloss.batch import FusionBatch
from metaloss.data.episodes import Episodes
from metaloss.errors import ConfigError, at_least
from metaloss.training.parts import Phase
from metaloss.training.trained import Trained

Step = tuple[Phase, tuple[FusionBatch, ...]]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The steps of every epoch: meta steps, then one pass of fusion steps (TDFusion, Algorithm 1).

    Attributes:
        episodes: the batches, from the seed and the number of the epoch alone.
        warmup_epochs: first epochs without meta steps.
        fusion_phase: whether later epochs have fusion steps; ablation IV has none.
    """

    episodes: Episodes
    warmup_epochs: int = 0
    fusion_phase: bool = True

    @staticmethod
    def of(
        learner: Trained, dataset: Dataset[Any], *, meta_steps: int, warmup_epochs: int = 0, **views: Any
    ) -> Schedule:
        """Makes the schedule of a learner; a loss that does not learn has no meta steps.

        Args:
            learner: the learner.
            dataset: items with the keys of :class:`metaloss.FusionBatch`.
            meta_steps: M, meta steps per epoch.
            warmup_epochs: first epochs without meta steps.
            views: the other arguments of :class:`metaloss.data.Episodes`.

        Raises:
            ConfigError: neither meta steps nor a fusion phase.
            DataError: too few items for two disjoint halves, or a crop larger than an image.
        """
        for name, number, least in (("meta_steps", meta_steps, 0), ("warmup_epochs", warmup_epochs, 0)):
            at_least(name, number, least)
        if not learner.separate_fusion_learning and meta_steps == 0:
            raise ConfigError(
                "separate_fusion_learning=False leaves the fusion phase out, and meta_steps=0 the meta steps: nothing "
                "would be trained; give meta_steps"
            )
        episodes = Episodes(dataset=dataset, meta_steps=meta_steps if learner.learns_loss else 0, **views)
        return Schedule(episodes=episodes, warmup_epochs=warmup_epochs, fusion_phase=learner.separate_fusion_learning)

    def phases(self, epoch: int) -> tuple[Phase, ...]:
        """The phases of an epoch, in their order; epochs count from 0."""
        if epoch < self.warmup_epochs:
            return ("fusion",)
        return ("meta", "fusion") if self.fusion_phase else ("meta",)

    def counts(self, epoch: int) -> dict[Phase, int]:
        """How many steps each phase of an epoch has."""
        steps: dict[Phase, int] = {"meta": self.episodes.meta_steps, "fusion": self.episodes.fusion_steps}
        return {phase: steps[phase] for phase in self.phases(epoch)}

    def length(self, epoch: int) -> int:
        """How many steps an epoch has."""
        return sum(self.counts(epoch).values())

    def steps(self, epoch: int, skip: int = 0) -> Iterator[Step]:
        """Gives an epoch's steps: ``("meta", (meta_train, meta_test))`` or ``("fusion", (batch,))``.

        Args:
            epoch: from 0.
            skip: how many steps to leave out at the beginning, without loading their data.
        """
        for phase in self.phases(epoch):
            if phase == "meta":
                yield from ((phase, pair) for pair in self.episodes.meta(epoch, skip))
                skip = max(0, skip - self.episodes.meta_steps)
            else:
                yield from ((phase, (batch,)) for batch in self.episodes.fusion(epoch, skip))
