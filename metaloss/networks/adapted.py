"""Fusion networks with another calling form than ``(*sources) -> fused``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metaloss.colour import luma
from metaloss.errors import ConfigError


class Concatenated(nn.Module):
    """A network that takes the sources as one tensor, concatenated over the channels.

    Args:
        network: (B, n C, H, W) -> fused (B, C, H, W).

    Examples:
        >>> import torch
        >>> import metaloss
        >>> network = metaloss.Concatenated(torch.nn.Conv2d(2, 1, 3, padding=1))
        >>> network(torch.rand(1, 1, 8, 8), torch.rand(1, 1, 8, 8)).shape
        torch.Size([1, 1, 8, 8])
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *sources: Tensor) -> Tensor:
        """Fuses n sources, each (B, C, H, W)."""
        fused: Tensor = self.network(torch.cat(sources, dim=1))
        return fused


class Adapted(nn.Module):
    """One network or several, of any other calling form, of RGB images, or of some sizes alone.

    All modules that ``call`` uses have to be given: one that it takes from around itself is not trained.

    Args:
        network: a module; or several as a sequence or as a mapping of names.
        call: ``(network, *sources) -> fused``: how it is called, and which of its results is the image. Several
            modules are each an argument of it: those of a sequence the first ones, in order; those of a mapping
            the ones of their names, or all of them the first, ``(networks, *sources)``, where no argument has such a
            name. A single network needs no ``call``: it is called as ``network(*sources)``.
        channels: 3 for networks of RGB images: grey sources are repeated over three channels, and the image that
            comes back is their luma (BT.601).
        multiple: of the sizes that the network takes, in pixels; others are padded by repeating their edge, and the
            image is cropped.
        square: the network takes squares alone.

    Raises:
        ConfigError: something that is no module, several modules without ``call``, or a number out of its range.

    Examples:
        >>> import torch
        >>> import metaloss
        >>> encoder, decoder = torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.Conv2d(8, 1, 3, padding=1)
        >>> network = metaloss.Adapted(
        ...     (encoder, decoder), call=lambda enc, dec, ir, vi: dec(enc(ir) + enc(vi)), multiple=16
        ... )
        >>> network(torch.rand(1, 1, 30, 50), torch.rand(1, 1, 30, 50)).shape
        torch.Size([1, 1, 30, 50])
    """

    def __init__(
        self,
        network: nn.Module | Sequence[nn.Module] | Mapping[str, nn.Module],
        call: Callable[..., Tensor] | None = None,
        *,
        channels: Literal[3] | None = None,
        multiple: int = 1,
        square: bool = False,
    ) -> None:
        super().__init__()
        if channels not in (None, 3):
            raise ConfigError(f"channels={channels!r}: expected 3, for a network of RGB images, or None")
        if not isinstance(multiple, int) or multiple < 1:
            raise ConfigError(f"multiple={multiple!r}: expected a number of pixels, of 1 or more")
        self.several = not isinstance(network, nn.Module)
        self.network: nn.Module = network if isinstance(network, nn.Module) else _joined(network)
        if self.several and call is None:
            raise ConfigError(
                f"{len(list(self.network.children()))} networks without call: say how they make one image of the "
                "sources, as in call=lambda encoder, decoder, ir, vi: decoder(encoder(ir) + encoder(vi))"
            )
        self.call = call
        self.channels, self.multiple, self.square = channels, multiple, square

    def forward(self, *sources: Tensor) -> Tensor:
        """Fuses n sources, each (B, C, H, W)."""
        height, width = size = sources[0].shape[-2:]
        padded = padded_size((height, width), self.multiple, self.square)
        if padded != size:
            sources = pad_to(sources, padded)
        repeated = self.channels is not None and sources[0].shape[1] == 1
        if repeated:
            sources = tuple(source.repeat(1, 3, 1, 1) for source in sources)
        fused = self._run(*sources)
        if not isinstance(fused, Tensor) or fused.ndim != 4:
            return fused  # refused by whoever called, with what was given
        if repeated and fused.shape[1] == 3:
            fused = luma(fused)
        return fused[..., :height, :width] if fused.shape[-2:] == padded != size else fused

    def _run(self, *sources: Tensor) -> Tensor:
        if self.call is None:
            return self.network(*sources)  # type: ignore[no-any-return]
        if self.several and isinstance(self.network, nn.ModuleList):
            return self.call(*self.network, *sources)
        if self.several and isinstance(self.network, nn.ModuleDict):
            return _call_by_names(self.call, dict(self.network.items()), self.network, sources)
        return self.call(self.network, *sources)


def _joined(networks: Any) -> nn.ModuleList | nn.ModuleDict:
    """Several modules as one, so that all are trained, saved and moved."""
    if not isinstance(networks, (Sequence, Mapping)) or isinstance(networks, str) or not len(networks):
        raise ConfigError(f"network={networks!r}: expected a torch.nn.Module, or a sequence or mapping of them")
    named = networks if isinstance(networks, Mapping) else dict(enumerate(networks))
    for name, module in named.items():
        if not isinstance(module, nn.Module):
            raise ConfigError(f"network[{name!r}] is a {type(module).__name__}: expected a torch.nn.Module")
    if not isinstance(networks, Mapping):
        return nn.ModuleList(networks)
    try:
        return nn.ModuleDict(networks)
    except (KeyError, TypeError) as error:  # "a.b", "keys", 3
        raise ConfigError(f"the names {', '.join(map(repr, networks))}: {error.args[0]}; choose others") from None


def _call_by_names(
    call: Callable[..., Tensor], modules: dict[str, nn.Module], together: nn.Module, sources: Sequence[Tensor]
) -> Tensor:
    """Gives every module to the argument of its name, and the sources, in order, to the others."""
    parameters = inspect.signature(call).parameters
    if not any(name in modules for name in parameters):
        return call(together, *sources)
    left, by_name = list(sources), dict(modules)
    arguments: list[Any] = []
    for name, parameter in parameters.items():
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD and name in by_name:
            arguments.append(by_name.pop(name))
        elif parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD and left:
            arguments.append(left.pop(0))
    return call(*arguments, *left, **by_name)


def padded_size(size: tuple[int, int], multiple: int, square: bool = False) -> tuple[int, int]:
    """The next height and width that are multiples of a stride, and equal if they have to be."""
    height, width = (-(-length // multiple) * multiple for length in size)
    return (max(height, width),) * 2 if square else (height, width)


def pad_to(sources: Sequence[Tensor], size: tuple[int, int]) -> tuple[Tensor, ...]:
    """Pads n sources (B, C, H, W) at the bottom and at the right by repeating their edge."""
    height, width = sources[0].shape[-2:]
    pad = (0, size[1] - width, 0, size[0] - height)
    return tuple(F.pad(source, pad, mode="replicate") for source in sources)
