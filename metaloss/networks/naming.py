"""What a network is called in messages."""

from __future__ import annotations

from torch import nn

from metaloss.networks.adapted import Adapted, Concatenated


def name_of(network: nn.Module) -> str:
    """The class of a network, with the inner one's in brackets where it is wrapped: ``"Adapted(FusionNet)"``."""
    name = type(network).__name__
    if isinstance(network, (Adapted, Concatenated)):
        inner = list(network.children())
        return f"{name}({', '.join(name_of(each) for each in inner)})"
    return name


def calling_hint(network: nn.Module, error: Exception) -> str:
    """Says what to do about a network that cannot be called as ``network(*sources)``.

    Args:
        network: the network.
        error: what its call raised.

    Returns:
        A clause that begins with ``"; "``; empty where the calling form is not to blame.
    """
    text = str(error)
    if isinstance(error, TypeError) and "positional argument" in text:
        return (
            "; for a network that takes the sources as one tensor wrap it in metaloss.Concatenated(network), for "
            "any other calling form in metaloss.Adapted(network, call=lambda network, *sources: ...)"
        )
    if isinstance(error, NotImplementedError):
        return (
            f"; {type(network).__name__} has no forward(*sources): say how it is called, in "
            "metaloss.Adapted(network, call=lambda network, *sources: ...)"
        )
    return ""
