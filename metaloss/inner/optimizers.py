"""What an inner update takes over from an optimizer: learning rates, settings and moments."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from metaloss.errors import ConfigError

_KINDS: dict[str, type[Optimizer]] = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD, "sgd_momentum": torch.optim.SGD}
_SETTINGS = {"adam": ("betas", "eps"), "sgd": (), "sgd_momentum": ("momentum",)}
_BUFFERS = {"adam": ("step", "exp_avg", "exp_avg_sq"), "sgd": (), "sgd_momentum": ("momentum_buffer",)}
_UNKNOWN = ("weight_decay", "amsgrad", "maximize", "nesterov", "dampening")


def rates_of(optimizer: Optimizer, module: nn.Module) -> dict[str, float]:
    """The current learning rate of every trainable parameter; 0 where the optimizer leaves it as it is."""
    rates = {param: float(group["lr"]) for group in optimizer.param_groups for param in group["params"]}
    return {name: rates.get(param, 0.0) for name, param in module.named_parameters() if param.requires_grad}


def settings_of(optimizer: Optimizer, rule: str) -> dict[str, Any]:
    """The optimizer's settings that a rule has as well.

    Raises:
        ConfigError: an optimizer of another kind, with settings that differ between its groups, or with
            some that the rule does not have.
    """
    kind = _KINDS[rule]
    if not isinstance(optimizer, kind):
        raise ConfigError(
            f'inner_state="optimizer": inner_rule={rule!r} goes on from the state of {kind.__name__}, and the '
            f"optimizer is {type(optimizer).__name__}"
        )
    groups = optimizer.param_groups
    for name in _UNKNOWN:
        if any(group.get(name) for group in groups):
            raise ConfigError(f'inner_state="optimizer": the rule {rule!r} has no {name}, which the optimizer uses')
    for name in _SETTINGS[rule]:
        if any(group[name] != groups[0][name] for group in groups):
            raise ConfigError(f'inner_state="optimizer": {name} differs between the optimizer\'s groups')
    return {name: groups[0][name] for name in _SETTINGS[rule]}


def state_of(optimizer: Optimizer, module: nn.Module, rule: str) -> Any:
    """Copies of the optimizer's moments as the rule's state; ``None`` where it has none.

    A parameter that was never stepped starts afresh.
    """
    buffers = _BUFFERS[rule]
    held = {
        name: optimizer.state[param]
        for name, param in module.named_parameters()
        if all(optimizer.state.get(param, {}).get(key) is not None for key in buffers)
    }
    if not held or not buffers:
        return None
    return {
        key: {name: int(state[key]) if key == "step" else state[key].detach().clone() for name, state in held.items()}
        for key in buffers
    }
