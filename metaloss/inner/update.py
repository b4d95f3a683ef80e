"""The settings of an inner update, as one object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import nn
from torch.optim import Optimizer

from metaloss.errors import ConfigError, at_least, one_of
from metaloss.inner.rules import InnerRate, InnerRule, build_rule


@dataclass(frozen=True, kw_only=True)
class InnerUpdate:
    """How one network takes its inner updates.

    Attributes:
        rule: a name in ``RULES``, or any pure callable ``(params, grads, state) -> (params, state)``.
        lr: the learning rate, or ``"optimizer"`` for each parameter group's current one.
        state: ``"fresh"``, or ``"optimizer"`` to start a named rule from the optimizer's moments and settings.
        clip: the largest norm of a gradient over all parameters, or ``None``.

    Raises:
        ConfigError: a setting out of its range.
    """

    rule: str | InnerRule = "sgd"
    lr: InnerRate = 1e-4
    state: Literal["fresh", "optimizer"] = "fresh"
    clip: float | None = None

    def __post_init__(self) -> None:
        self.build()  # says now what is wrong with it

    @property
    def needs_optimizer(self) -> bool:
        """Whether something is taken over from the network's optimizer."""
        return self.state == "optimizer" or self.lr == "optimizer"

    def build(self, module: nn.Module | None = None, optimizer: Any = None) -> tuple[InnerRule, Any]:
        """Builds the rule and its first state, at the optimizer's present rates and moments.

        Args:
            module: the network, where an optimizer is given.
            optimizer: of the network; MMEngine's wrappers keep it inside.

        Raises:
            ConfigError: an optimizer of another kind than the rule.
        """
        inside: Optimizer | None = getattr(optimizer, "optimizer", optimizer)
        return build_rule(
            self.rule,
            self.lr,
            clip=self.clip,
            from_state=self.state == "optimizer",
            module=module,
            optimizer=inside,
        )


@dataclass(frozen=True, kw_only=True)
class InnerUpdates:
    """The inner updates of a meta step: how many, and how F and T take them.

    Attributes:
        steps: K, at least 1.
        fusion: of F.
        task: of T.
    """

    steps: int
    fusion: InnerUpdate
    task: InnerUpdate

    @staticmethod
    def of(
        rule: str | InnerRule,
        steps: int,
        lr: InnerRate | tuple[InnerRate, InnerRate],
        state: Literal["fresh", "optimizer"],
        clip: float | None,
    ) -> InnerUpdates:
        """Makes them from settings that F and T share, but for the rates, which may be a pair.

        Raises:
            ConfigError: a setting out of its range.
        """
        at_least("inner_steps", steps, 1)
        one_of("inner_state", state, ("fresh", "optimizer"))
        fusion, task = (InnerUpdate(rule=rule, lr=rate, state=state, clip=clip) for rate in rate_pair(lr))
        return InnerUpdates(steps=steps, fusion=fusion, task=task)

    def settings(self) -> dict[str, Any]:
        """The settings as plain values; a rule that is no name by its class or function."""
        rule = self.fusion.rule
        return {
            "inner_rule": rule if isinstance(rule, str) else getattr(rule, "__qualname__", type(rule).__qualname__),
            "inner_steps": self.steps,
            "inner_lr": [self.fusion.lr, self.task.lr],
            "inner_state": self.fusion.state,
            "inner_clip": self.fusion.clip,
        }


def rate_pair(inner_lr: Any) -> tuple[InnerRate, InnerRate]:
    """The rates for F and T, of one rate or a pair.

    Raises:
        ConfigError: anything else.
    """
    rates = tuple(inner_lr) if isinstance(inner_lr, (tuple, list)) else (inner_lr, inner_lr)
    if len(rates) != 2 or not all(isinstance(rate, (int, float)) or rate == "optimizer" for rate in rates):
        raise ConfigError(f"inner_lr={inner_lr!r}: expected a number or 'optimizer', or a pair of them for F and T")
    return rates
