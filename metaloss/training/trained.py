"""What a training has to know of the learner that it trains: networks, optimizers, and where it stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from metaloss.batch import FusionBatch
from metaloss.hypergradient import HypergradientMethod, MetaProblem
from metaloss.training.optimizers import Optimizers
from metaloss.training.outer import OuterUpdate
from metaloss.training.parts import Part, Phase
from metaloss.training.variants import Variant


class Trained(ABC):
    """A learner, as its schedule, its epochs and its checkpoints see it.

    Args:
        variant: with F.
        loss: L_f with G.
        task: T.
        optimizers: of each.
        schedulers: of their learning rates.
        outer: what lies between the meta-gradients and the steps of G.
        settings: plain values.

    Attributes:
        settings: what a training's result depends on, but for the networks and their optimizers.
        progress: where the training stands: ``epoch``, the epochs done; ``step``, the steps done of the next one, and
            ``means``, their running means; ``seed``, of all that is drawn; ``log``, the means of each epoch.
        run: the ``settings`` and ``data`` of the last run of ``fit``; empty before.
        skipped: meta steps and fusion steps that were left out.
    """

    _meta: Any  # what takes the meta-gradients

    def __init__(
        self,
        variant: Variant,
        loss: nn.Module,
        task: nn.Module,
        optimizers: Optimizers,
        schedulers: Sequence[Any],
        outer: OuterUpdate,
        settings: Mapping[str, Any],
    ) -> None:
        self.fusion, self.loss, self.task = variant.fusion, loss, task
        self.optimizers, self.schedulers, self.skipped = optimizers, list(schedulers), 0
        self.progress: dict[str, Any] = new_progress()
        self.run: Mapping[str, Mapping[str, Any]] = {}
        self._variant, self._outer, self.settings = variant, outer, dict(settings)

    @abstractmethod
    def step(self, phase: Phase, *batches: FusionBatch) -> dict[str, Tensor]:
        """Takes one step of a :class:`metaloss.training.Schedule`."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what was saved."""

    def optimizer(self, name: Part) -> Optimizer:
        """The optimizer of F, T or G; built with the default settings when first needed."""
        return self.optimizers.needed(name)

    def use_optimizer(self, name: Part, optimizer: Any) -> None:
        """Steps F, T or G with this optimizer from now on; anything with ``step()``, ``state_dict()`` and its pair."""
        self.optimizers[name] = optimizer

    def trains(self, name: Part) -> bool:
        """Whether F, T or G is stepped by an optimizer of its own: with a weighted sum F is not."""
        has_own = any(param.requires_grad for param in getattr(self, name).parameters())
        return has_own and not (name == "fusion" and self._variant.sums)

    @property
    def learns_loss(self) -> bool:
        """Whether the loss has anything to learn, and so whether there are meta steps; uniform weights have not."""
        return self.trains("loss")

    @property
    def separate_fusion_learning(self) -> bool:
        """Whether there is a fusion phase; in ablation IV there is none."""
        return self._variant.fusion_phase

    @property
    def problem(self) -> MetaProblem:
        """The problem of the next meta step, at the optimizers' present rates and moments."""
        return self._meta.problem(self)  # type: ignore[no-any-return]

    @property
    def method(self) -> HypergradientMethod:
        """What computes the meta-gradients."""
        return self._meta.method  # type: ignore[no-any-return]

    @property
    def weighted_sum(self) -> bool:
        """Whether the weighted sum of the sources stands for F (ablation V), so that there is no L_f."""
        return self._variant.sums

    @property
    def lr(self) -> float:
        """Of the default optimizers."""
        return self.optimizers.lr

    @property
    def outer_update(self) -> str:
        """How G is stepped: ``"optimizer"`` or ``"max_normalised_sgd"``."""
        return str(self.settings["outer_update"])

    @property
    def accumulate(self) -> int:
        """Meta steps per update of G."""
        return self._outer.accumulate

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Tells a loss that changes with the epochs which one begins, from 0, by its ``at_epoch(epoch, epochs)``."""
        if hasattr(self.loss, "at_epoch"):
            self.loss.at_epoch(epoch, epochs)  # type: ignore[operator]

    def pending_state(self) -> dict[str, Any]:
        """What lies between two updates of G: accumulated meta-gradients, how many steps were skipped, the method."""
        return {**self._outer.state(), "skipped": self.skipped, "meta": self._meta.state()}

    def load_pending_state(self, state: Mapping[str, Any]) -> None:
        """Takes up what :meth:`pending_state` gave."""
        self._outer.load(state, next(self.loss.parameters(), torch.empty(0)).device)
        self._meta.load(state["meta"])
        self.skipped = state["skipped"]


def new_progress() -> dict[str, Any]:
    """The progress of a training that has not begun."""
    return {"epoch": 0, "step": 0, "means": {}, "seed": None, "log": []}
