"""Algorithm 1 as data: which step comes when, on which batches. Whoever runs it decides what happens in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from torch.utils.data import Dataset

from metaloss.batch import FusionBatch
from metaloss.data.episodes import Episodes
from metaloss.errors import ConfigError, at_least, one_of
from metaloss.training.parts import Phase
from metaloss.training.trained import Trained

Step = tuple[Phase, tuple[FusionBatch, ...]]
Order = Literal["phases", "interleaved"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The steps of every epoch: meta steps, and one pass of fusion steps.

    In Algorithm 1 of TDFusion all meta steps of an epoch come first, and see one state of F and T. Interleaved, they
    are spread evenly between the fusion steps: the same batches in another order.

    Attributes:
        episodes: the batches, from the seed and the number of the epoch alone.
        warmup_epochs: first epochs without meta steps.
        fusion_phase: whether later epochs have fusion steps; ablation IV has none.
        order: ``"phases"``, meta steps first (Algorithm 1), or ``"interleaved"``.
    """

    episodes: Episodes
    warmup_epochs: int = 0
    fusion_phase: bool = True
    order: Order = "phases"

    @staticmethod
    def of(
        learner: Trained,
        dataset: Dataset[Any],
        *,
        meta_steps: int,
        warmup_epochs: int = 0,
        order: Order = "phases",
        **views: Any,
    ) -> Schedule:
        """Makes the schedule of a learner; a loss that does not learn has no meta steps.

        Args:
            learner: the learner.
            dataset: items with the keys of :class:`metaloss.FusionBatch`.
            meta_steps: M, meta steps per epoch.
            warmup_epochs: first epochs without meta steps.
            order: ``"phases"`` or ``"interleaved"``.
            views: the other arguments of :class:`metaloss.data.Episodes`.

        Raises:
            ConfigError: neither meta steps nor a fusion phase, or an unknown order.
            DataError: too few items for two disjoint halves, or a crop larger than an image.
        """
        for name, number, least in (("meta_steps", meta_steps, 0), ("warmup_epochs", warmup_epochs, 0)):
            at_least(name, number, least)
        one_of("schedule", order, get_args(Order))
        if not learner.separate_fusion_learning and meta_steps == 0:
            raise ConfigError(
                "separate_fusion_learning=False leaves the fusion phase out, and meta_steps=0 the meta steps: nothing "
                "would be trained; give meta_steps"
            )
        episodes = Episodes(dataset=dataset, meta_steps=meta_steps if learner.learns_loss else 0, **views)
        return Schedule(
            episodes=episodes,
            warmup_epochs=warmup_epochs,
            fusion_phase=learner.separate_fusion_learning,
            order=order,
        )

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

    def phase_of_each(self, epoch: int) -> list[Phase]:
        """The phase of each step of an epoch, in their order."""
        counts = self.counts(epoch)
        steps = [(phase, (number + 0.5) / count) for phase, count in counts.items() for number in range(count)]
        if self.order == "interleaved":
            steps.sort(key=lambda step: step[1])  # by their places in the epoch; meta before fusion where they are one
        return [phase for phase, _ in steps]

    def steps(self, epoch: int, skip: int = 0) -> Iterator[Step]:
        """Gives an epoch's steps: ``("meta", (meta_train, meta_test))`` or ``("fusion", (batch,))``.

        Args:
            epoch: from 0.
            skip: how many steps to leave out at the beginning, without loading their data.
        """
        phases = self.phase_of_each(epoch)
        done, left = Counter(phases[:skip]), Counter(phases[skip:])
        meta, fusion = self.episodes.meta(epoch, done["meta"]), self.episodes.fusion(epoch, done["fusion"])
        for phase in phases[skip:]:
            batches = next(meta) if phase == "meta" else (next(fusion),)
            left[phase] -= 1
            if not left[phase]:  # lets the processes go that have loaded this phase's data
                next(meta if phase == "meta" else fusion, None)
            yield phase, batches
