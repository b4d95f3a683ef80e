"""What an inner update rule is, and how one is chosen by a word."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from torch import Tensor

from metaloss.errors import ConfigError, nearest
from metaloss.inner.sgd import sgd

Tensors: TypeAlias = Mapping[str, Tensor]
InnerRule: TypeAlias = Callable[[Tensors, Tensors, Any], tuple[dict[str, Tensor], Any]]

RULES: dict[str, Callable[[float], InnerRule]] = {"sgd": sgd}


def build_rule(rule: str | InnerRule, lr: float) -> InnerRule:
    """Chooses an inner update rule.

    Args:
        rule: a name in ``RULES``, or any pure callable ``(params, grads, state) -> (params, state)``,
            with dicts keyed by parameter name; ``state`` is ``None`` at the first step.
        lr: the learning rate, for the named rules; a callable brings its own.

    Returns:
        The rule.

    Raises:
        ConfigError: an unknown name, or a negative rate.
    """
    if callable(rule):
        return rule
    if rule not in RULES:
        raise ConfigError(f"inner_rule={rule!r}: choose one of {sorted(RULES)}{nearest(rule, RULES)}, or a callable")
    if not lr >= 0:
        raise ConfigError(f"inner_lr={lr!r}: a learning rate is zero or more")
    return RULES[rule](lr)
