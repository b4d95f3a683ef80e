"""Loads a fusion network with its weights: one that a file names, or one that was built in a script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import nn

from metaloss.errors import CheckpointError, ConfigError
from metaloss.networks.adapted import Adapted, Concatenated
from metaloss.networks.calling import name_of
from metaloss.networks.wrappers import plain_names, unwrapped
from metaloss.plugins.fitting import Weights, completed, difference, fitting
from metaloss.plugins.published import refusal
from metaloss.plugins.weights import Files, build_fusion, keep_range_of, load_fusion, part_state, paths_of, spec_of
from metaloss.runtime import files


def load(path: Files, fusion: nn.Module | None = None, *, network: str | None = None) -> nn.Module:
    """Loads a fusion network with its weights, ready for use.

    Args:
        path: a checkpoint of ours, of :meth:`metaloss.MetaLearner.save`, ``fit`` or ``metaloss train``; or a file
            that the authors of a network have published, or several that hold its parts. Read as data: nothing in it
            is run.
        fusion: the network that the weights belong to, for one that was built in a script; it takes them. Where it is
            wrapped in :class:`metaloss.Adapted` or :class:`metaloss.Concatenated`, the weights may be those of the
            network inside.
        network: the name of the network, where several are possible; default: what the file says, or what it fits.

    Returns:
        The network in evaluation mode: ``fusion`` itself, where it is; else a new one, on the CPU.

    Raises:
        ConfigError: ``fusion`` is no network, or is given with ``network``.
        CheckpointError: no such file, damaged, with code in it, or the weights of another network; ``fusion`` is as it
            was then.
        PluginError: the plug-in that gave the network is not installed.

    Example:
        >>> import torch
        >>> import metaloss
        >>> from metaloss.networks import ReFusionNet
        >>> trained = ReFusionNet()
        >>> torch.save(trained.state_dict(), "mine.pth")
        >>> network = metaloss.load("mine.pth", fusion=ReFusionNet())
        >>> network.training
        False
    """
    if fusion is None:
        return load_fusion(path) if network is None else build_fusion(network, weights=path)
    if network is not None:
        raise ConfigError(f"network={network!r} and fusion: give the name of a network, or a network of your own")
    if not isinstance(fusion, nn.Module):
        raise ConfigError(f"fusion={fusion!r}: expected a network, an nn.Module; a name goes into network=")
    paths = paths_of(path)
    contents = [files.load(each) for each in paths]
    ours = len(contents) == 1 and isinstance(contents[0].get("metaloss"), dict)
    found = [(module, *_weights_for(module, contents, ours=ours)) for module in _candidates(fusion)]
    fitted = next(((module, weights) for module, weights, mismatch in found if not mismatch), None)
    if fitted is None:
        reason = f"not the weights of this {name_of(fusion)}: {found[0][2]}"
        if ours:
            raise CheckpointError(f"{paths[0]}: {reason}{_says(contents[0])}")
        raise refusal(contents, paths, reason)
    module, weights = fitted
    module.load_state_dict(weights)
    if ours:
        keep_range_of(fusion, contents[0], paths[0])
    return fusion.eval()


def _candidates(fusion: nn.Module) -> Iterator[nn.Module]:
    """The network, and what is wrapped in it."""
    yield fusion
    inner = unwrapped(fusion)
    if inner is not fusion:
        yield inner
    if isinstance(inner, (Adapted, Concatenated)):
        yield inner.network


def _weights_for(module: nn.Module, contents: Sequence[Mapping[str, Any]], *, ours: bool) -> tuple[Weights, str]:
    """A module's weights out of files, and how they differ from its own."""
    if not ours:
        return fitting(module, contents)
    weights = completed(module, plain_names(part_state(contents[0], "fusion"), module.state_dict().keys()))
    return weights, difference(module, weights)


def _says(content: Mapping[str, Any]) -> str:
    spec = spec_of(content, "fusion") or {}
    name = spec.get("name", spec.get("class"))
    return f"; it holds a network {str(name)[:80]!r}" if name else ""
