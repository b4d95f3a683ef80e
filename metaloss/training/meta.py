"""The meta-gradient of a learner: its problem, the method that solves it, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from metaloss.batch import FusionBatch
from metaloss.errors import ConfigError, one_of
from metaloss.hypergradient import Auto, HypergradientMethod, MetaGradient, MetaProblem
from metaloss.hypergradient.direct import direct
from metaloss.hypergradient.execution import Execution
from metaloss.hypergradient.image_update import ImageUpdate
from metaloss.inner import InnerRule, InnerUpdates
from metaloss.plugins import find
from metaloss.training import checks
from metaloss.training.trained import Trained
from metaloss.training.variants import Variant

INNER_UPDATES = ("network", "image")


def method_of(hypergradient: str, variant: Variant, inner_update: str, image_lr: Any) -> HypergradientMethod:
    """Chooses what computes the meta-gradient.

    Args:
        hypergradient: ``"auto"``, or a name that a plug-in registered.
        variant: the ablation.
        inner_update: ``"network"``, of F's parameters, or ``"image"``, of the fused image.
        image_lr: the rate of the latter, more than 0; ``None``: its first-order limit.

    Raises:
        ConfigError: settings that leave each other nothing to act on.
        PluginError: an unknown hypergradient.
    """
    if one_of("inner_update", inner_update, INNER_UPDATES) == "network":
        if image_lr is not None:
            raise ConfigError(f"image_lr={image_lr!r} is the rate of inner_update='image': give that as well")
        method = Auto() if hypergradient == "auto" else find("hypergradients", hypergradient).load()
        return direct if variant.sums else method
    number = isinstance(image_lr, (int, float)) and not isinstance(image_lr, bool)
    if image_lr is not None and not (number and image_lr > 0):
        raise ConfigError(f"image_lr={image_lr!r}: expected a number above 0, or None")
    if hypergradient != "auto":
        raise ConfigError(
            f"hypergradient={hypergradient!r} with inner_update='image': F is not differentiated, so there is no "
            "method to choose; leave it at 'auto'"
        )
    if variant.sums or not variant.fusion_phase:
        option = "fusion='weighted_sum'" if variant.sums else "separate_fusion_learning=False"
        raise ConfigError(f"inner_update='image' with {option}: there is no inner update of F that it could replace")
    return ImageUpdate(image_lr)


@dataclass
class MetaGradients:
    """Takes the meta-gradients of a learner.

    Attributes:
        method: of the hypergradient.
        inner: the inner updates.
        execution: how the networks are run.
        count: how many were taken; the self-check of the methods goes by it.
    """

    method: HypergradientMethod
    inner: InnerUpdates
    execution: Execution
    count: int = 0

    def state(self) -> dict[str, Any]:
        """What the next meta-gradient depends on, but for the networks: how many came before, and the method in use."""
        return {"count": self.count, **(self.method.state() if isinstance(self.method, Auto) else {})}

    def load(self, state: Mapping[str, Any]) -> None:
        """Takes up what :meth:`state` gave; another method begins with its own state."""
        self.count = int(state["count"])
        if isinstance(self.method, Auto) and "method" in state:
            self.method.load(state)

    def problem(self, learner: Trained) -> MetaProblem:
        """The problem of the next meta step, at the optimizers' present rates and moments."""
        (fusion_rule, fusion_state), (task_rule, task_state) = (
            self._rule(learner, "fusion"),
            self._rule(learner, "task"),
        )
        return MetaProblem(
            fusion=learner.fusion,
            loss=learner.loss,
            task=learner.task,
            fusion_rule=fusion_rule,
            task_rule=task_rule,
            steps=self.inner.steps,
            fusion_state=fusion_state,
            task_state=task_state,
            execution=self.execution,
            number=self.count,
        )

    def _rule(self, learner: Trained, name: Literal["fusion", "task"]) -> tuple[InnerRule, Any]:
        inner = self.inner.fusion if name == "fusion" else self.inner.task
        if inner.needs_optimizer and learner.trains(name):
            return inner.build(getattr(learner, name), learner.optimizer(name))
        return inner.build()

    def take(
        self, learner: Trained, meta_train: FusionBatch, meta_test: FusionBatch, *, finite: bool
    ) -> tuple[MetaGradient, checks.Outcome]:
        """Takes the next meta-gradient, and judges it.

        Args:
            learner: whose loss is to learn.
            meta_train: the batch of the inner updates.
            meta_test: the batch of the outer loss.
            finite: whether one that is not finite is refused.

        Raises:
            MetaGradientError: there is nothing to learn, or the gradient cannot be used.
        """
        checks.check_learnable(None if isinstance(self.method, ImageUpdate) else learner.fusion, learner.loss)
        gradient = self.method(self.problem(learner), meta_train, meta_test)
        self.count += 1
        outcome = checks.check_meta_gradient(gradient, learner.loss, finite=finite)
        if outcome == "zero":
            checks.check_zero(gradient, learner.fusion, learner.task, meta_test, self.execution)
        return gradient, outcome
