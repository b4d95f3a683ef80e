"""What a checkpoint says of its networks, so that they can be built again."""

from __future__ import annotations

from typing import Any

from torch import nn

from metaloss.networks.loss_generator import LossGenerator
from metaloss.networks.refusion import ReFusionNet
from metaloss.networks.weighted_sum import WeightedSum
from metaloss.networks.wrappers import unwrapped


def describe_fusion(network: nn.Module) -> dict[str, Any]:
    """Names a fusion network's record and arguments.

    Args:
        network: a network that was built by name, or :class:`ReFusionNet`, or any other; what torch wraps around
            it does not count.

    Returns:
        ``{"name": ..., "arguments": {...}}``, or ``{"class": ...}`` for one that no record made.
    """
    network = unwrapped(network)
    record = getattr(network, "metaloss_record", None)
    if isinstance(record, dict):
        return dict(record)
    if type(network) is ReFusionNet:
        return {"name": "refusion", "arguments": dict(network.arguments)}
    if type(network) is WeightedSum and type(network.generator) is LossGenerator:
        return {"name": "weighted_sum", "arguments": dict(network.generator.arguments)}
    return {"class": _class_of(network)}


def describe_generator(loss: nn.Module) -> dict[str, Any] | None:
    """Names a fusion loss's generator, as :func:`describe_fusion` does a network; ``None`` where it has none."""
    generator = getattr(loss, "generator", None)
    if not isinstance(generator, nn.Module):
        return None
    generator = unwrapped(generator)
    if type(generator) is LossGenerator:
        return {"name": "restormer", "arguments": dict(generator.arguments)}
    record = getattr(generator, "metaloss_record", None)
    return dict(record) if isinstance(record, dict) else {"class": _class_of(generator)}


def describe(learner: Any) -> dict[str, Any]:
    """What a checkpoint says of a learner's fusion network and loss generator."""
    return {"fusion": describe_fusion(learner.fusion), "generator": describe_generator(learner.loss)}


def _class_of(module: nn.Module) -> str:
    return f"{type(module).__module__}:{type(module).__qualname__}"


def source_count(network: nn.Module) -> int | None:
    """How many sources a network was built for, where that is known."""
    arguments = getattr(network, "arguments", None)
    return arguments.get("sources") if isinstance(arguments, dict) else None
