"""The device that a network runs on, from what a user calls it."""

from __future__ import annotations

import torch
from torch import nn

from metaloss.errors import ConfigError


def device_named(name: str | torch.device) -> torch.device:
    """Reads the name of a device.

    Args:
        name: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``, or whatever else torch calls one.

    Raises:
        ConfigError: torch knows no such device, or it is not there.
    """
    try:
        device = torch.device(name)
        torch.empty(1, device=device).cpu()  # "meta" has no numbers
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0].partition(". ")[0][:120]
        raise ConfigError(
            f"device {str(name)!r} cannot be used ({reason}): give 'cpu', or 'cuda' where there is a GPU"
        ) from None
    return device


def best_device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def place_of(network: nn.Module) -> tuple[torch.device, torch.dtype]:
    """Where a network's weights are, and of what kind; the CPU and float32 for one that has none."""
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.is_floating_point():
            return tensor.device, tensor.dtype
    return torch.device("cpu"), torch.float32
