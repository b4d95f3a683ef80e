"""What a checkpoint says of its fusion network, so that it can be built again."""

from __future__ import annotations

from typing import Any

from torch import nn

from metaloss.networks.refusion import ReFusionNet


def describe_fusion(network: nn.Module) -> dict[str, Any]:
    """Names a fusion network's record and arguments.

    Args:
        network: a network that was built by name, or :class:`ReFusionNet`, or any other.

    Returns:
        ``{"name": ..., "arguments": {...}}``, or ``{"class": ...}`` for one that no record made.
    """
    record = getattr(network, "metaloss_record", None)
    if isinstance(record, dict):
        return dict(record)
    if type(network) is ReFusionNet:
        return {"name": "refusion", "arguments": dict(network.arguments)}
    return {"class": f"{type(network).__module__}:{type(network).__qualname__}"}


def source_count(network: nn.Module) -> int | None:
    """How many sources a network was built for, where that is known."""
    arguments = getattr(network, "arguments", None)
    return arguments.get("sources") if isinstance(arguments, dict) else None
