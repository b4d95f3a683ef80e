"""How an inner update rule is chosen by a word, and what it takes over from an optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from torch import nn
from torch.optim import Optimizer

from metaloss.errors import ConfigError, nearest
from metaloss.inner.adam import adam
from metaloss.inner.clip import clipped
from metaloss.inner.momentum import sgd_momentum
from metaloss.inner.optimizers import rates_of, settings_of, state_of
from metaloss.inner.sgd import Rule, sgd

InnerRule: TypeAlias = Rule
InnerRate: TypeAlias = float | Literal["optimizer"]

RULES: dict[str, Callable[..., InnerRule]] = {"sgd": sgd, "sgd_momentum": sgd_momentum, "adam": adam}


def build_rule(
    rule: str | InnerRule,
    lr: InnerRate,
    *,
    clip: float | None = None,
    from_state: bool = False,
    module: nn.Module | None = None,
    optimizer: Optimizer | None = None,
) -> tuple[InnerRule, Any]:
    """Chooses an inner update rule, and the state it starts from.

    Args:
        rule: a name in ``RULES``, or any pure callable ``(params, grads, state) -> (params, state)``,
            with dicts keyed by parameter name; ``state`` is ``None`` at the first step.
        lr: the learning rate, or ``"optimizer"`` for each parameter group's current one; a callable
            brings its own.
        clip: the largest norm of a gradient, over all parameters, or ``None``.
        from_state: start a named rule from the optimizer's moments, with its betas, eps or momentum.
        module: whose parameters they are; needed with an optimizer.
        optimizer: of that module.

    Returns:
        The rule, and its first state.

    Raises:
        ConfigError: an unknown name, a rate or norm out of its range, or an optimizer of another kind.
    """
    if clip is not None and not clip > 0:
        raise ConfigError(f"inner_clip={clip!r}: a norm is more than zero, or None for no clipping")
    state: Any = None
    if callable(rule):
        if from_state:
            raise ConfigError('inner_state="optimizer" is for the named rules: a callable brings its own state')
        chosen = rule
    else:
        _check(rule, lr)
        rates: Any = lr
        settings: dict[str, Any] = {}
        if optimizer is not None and module is not None:
            rates = rates_of(optimizer, module) if lr == "optimizer" else lr
            if from_state:
                settings, state = settings_of(optimizer, rule), state_of(optimizer, module, rule)
        chosen = RULES[rule](rates, **settings)
    return (chosen if clip is None else clipped(chosen, clip)), state


def _check(rule: str, lr: InnerRate) -> None:
    if rule not in RULES:
        raise ConfigError(f"inner_rule={rule!r}: choose one of {sorted(RULES)}{nearest(rule, RULES)}, or a callable")
    if lr != "optimizer" and not (isinstance(lr, (int, float)) and lr >= 0):
        raise ConfigError(f"inner_lr={lr!r}: a learning rate is zero or more, or 'optimizer'")
