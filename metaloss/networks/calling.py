"""How a fusion network is called and named, and what is said where it cannot be called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn

from metaloss.errors import ConfigError, ShapeError
from metaloss.networks.adapted import Adapted, Concatenated

_WRAPS = (
    "for a network that takes the sources as one tensor wrap it in metaloss.Concatenated(network), for any other "
    "calling form in metaloss.Adapted(network, call=lambda network, *sources: ...)"
)


def name_of(network: nn.Module) -> str:
    """The class of a network, with the inner ones' in brackets where it is wrapped: ``"Adapted(FusionNet)"``."""
    name = type(network).__name__
    if isinstance(network, (Adapted, Concatenated)):
        inner = network.network
        parts = list(inner.children()) if isinstance(inner, (nn.ModuleList, nn.ModuleDict)) else [inner]
        return f"{name}({', '.join(map(name_of, parts))})"
    return name


@contextmanager
def calling(network: nn.Module) -> Iterator[None]:
    """Runs a block that calls a network as ``network(*sources)``.

    Raises:
        ConfigError: it has another calling form; with the wrap that fits.
    """
    try:
        yield
    except Exception as error:
        hint = calling_hint(network, error)
        if not hint:
            raise
        raise ConfigError(f"{name_of(network)}: {' '.join(str(error).split())}{hint}") from error


def calling_hint(network: nn.Module, error: Exception) -> str:
    """Says what to do about a network that cannot be called as ``network(*sources)``.

    Args:
        network: the network.
        error: what its call raised.

    Returns:
        A clause that begins with ``"; "``; empty where the calling form is not to blame.
    """
    if isinstance(network, Adapted) and network.call is None:
        return calling_hint(network.network, error)
    text = str(error)
    called = [type(network).forward, *([network.call] if isinstance(network, Adapted) else [])]
    wrong = "argument" in text and any(f"{getattr(each, '__qualname__', '')}()" in text for each in called)
    if isinstance(error, TypeError) and wrong and not isinstance(network, Adapted):
        return f"; {_WRAPS}"
    if isinstance(error, TypeError) and wrong:
        return "; call takes the network, or each of several networks, and then every source: (network, *sources)"
    if isinstance(error, NotImplementedError) and 'missing the required "forward"' in text:
        return (
            f"; {name_of(network)} has no forward(*sources): say how it is called, in "
            "metaloss.Adapted(network, call=lambda network, *sources: ...)"
        )
    return ""


def check_image(network: nn.Module, fused: object, sources: Sequence[Tensor]) -> Tensor:
    """Checks that a network gave one image of the sources' batch and channels; its size is not looked at.

    Args:
        network: F.
        fused: what it returned.
        sources: n tensors of shape (B, C, H, W).

    Returns:
        The image, of shape (B, C, h, w).

    Raises:
        ShapeError: it is none; with the wrap that helps.
    """
    batch, channels = sources[0].shape[:2]
    if not isinstance(fused, Tensor):
        kind = type(fused).__name__
        raise ShapeError(
            f"{name_of(network)} returned {kind}: a fusion network returns the fused image (B, C, H, W); choose it "
            f"in metaloss.Adapted(network, call=lambda network, *sources: network(*sources)[...])"
        )
    if fused.ndim != 4 or fused.shape[0] != batch:
        raise ShapeError(
            f"{name_of(network)} returned {tuple(fused.shape)}: a fusion network returns the fused image (B, C, H, W), "
            f"here ({batch}, {channels}, H, W); for another calling form wrap it in metaloss.Adapted"
        )
    if fused.shape[1] != channels:
        advice = (
            "; metaloss.Adapted(network, channels=3) repeats grey sources and takes the luma of the image"
            if (channels, fused.shape[1]) == (1, 3)
            else ""
        )
        raise ShapeError(
            f"{name_of(network)} returned {fused.shape[1]} channels from sources of {channels}: the fused image has "
            f"the sources' channels{advice}"
        )
    return fused
