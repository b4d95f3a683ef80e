"""Rebuilds trained networks from a file: our own checkpoints, and the published ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from metaloss.errors import CheckpointError
from metaloss.networks.official import is_official, load_official
from metaloss.networks.wrappers import plain_names
from metaloss.plugins.manager import build_fusion, build_loss_generator
from metaloss.plugins.rebuild import rebuild
from metaloss.plugins.trained_range import keep_range
from metaloss.runtime import files

BuildFromConfig = Callable[[dict[str, Any], list[str]], nn.Module]
"""Builds a network that a training config defined, from that config and the modules it imports."""


def load_fusion(path: str | os.PathLike[str], build_from_config: BuildFromConfig | None = None) -> nn.Module:
    """Rebuilds the fusion network that a file holds.

    Args:
        path: a checkpoint of ``metaloss train`` or ``MetaLearner.fit``, or a published weight file.
        build_from_config: for networks from a training config.

    Returns:
        The network, in evaluation mode, on the CPU.

    Raises:
        CheckpointError: unreadable, not from metaloss, or the weights of another network.
        PluginError: the plug-in that gave the network is not installed.
    """
    content = files.load(path)
    if is_official(content):
        return load_official(path)
    spec = _spec(content, "fusion")
    if spec is None:
        raise CheckpointError(
            f"{path}: holds no fusion network: expected a checkpoint of `metaloss train` or `MetaLearner.fit`, or a "
            "published ReFusion or TDFusion file"
        )
    state = part_state(content, "fusion")
    network = rebuild(spec, state, path, "fusion network", build_fusion, build_from_config)
    load_strictly(network, state, path)
    _keep_range(network, content, path)
    return network.eval()


def load_generator(path: str | os.PathLike[str], build_from_config: BuildFromConfig | None = None) -> nn.Module:
    """Rebuilds the loss generator that a checkpoint holds.

    Args:
        path: a checkpoint of ``metaloss train`` or ``MetaLearner.fit``.
        build_from_config: for generators from a training config.

    Returns:
        The generator, in evaluation mode, on the CPU.

    Raises:
        CheckpointError: unreadable, without a loss generator, or the weights of another one.
        PluginError: the plug-in that gave the generator is not installed.
    """
    content = files.load(path)
    spec = _spec(content, "generator")
    if spec is None:
        what = "is a published file of a fusion network alone" if is_official(content) else "holds no loss generator"
        raise CheckpointError(
            f"{path}: {what}: expected a checkpoint of `metaloss train` or `MetaLearner.fit` with learned weights"
        )

    state = part_state(content, "loss", "generator.")
    generator = rebuild(spec, state, path, "loss generator", build_loss_generator, build_from_config)
    load_strictly(generator, state, path)
    _keep_range(generator, content, path)
    return generator.eval()


def _keep_range(network: nn.Module, content: dict[str, Any], path: str | os.PathLike[str]) -> None:
    try:
        keep_range(network, content)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def _spec(content: dict[str, Any], part: str) -> dict[str, Any] | None:
    ours = content.get("metaloss")
    spec = ours.get(part) if isinstance(ours, dict) else None
    return spec if isinstance(spec, dict) else None


def part_state(content: dict[str, Any], part: str, prefix: str = "") -> dict[str, Tensor]:
    """The entries of one part of a checkpoint whose names begin with a prefix."""
    if "state_dict" in content and part not in content:  # as MMEngine's own runner writes it
        content, prefix = {part: content["state_dict"]}, f"{part}.{prefix}"
    state = content.get(part)
    entries = state.items() if isinstance(state, Mapping) else ()
    return {
        key.removeprefix(prefix): value for key, value in entries if isinstance(key, str) and key.startswith(prefix)
    }


def load_strictly(module: nn.Module, state: dict[str, Tensor], path: str | os.PathLike[str]) -> None:
    """Loads weights that must fit; prefixes that torch's wrappers leave in their names do not count.

    Raises:
        CheckpointError: they are those of another network.
    """
    state = plain_names(state, module.state_dict().keys())
    mismatch = difference(module, state)
    if mismatch:
        raise CheckpointError(f"{path}: not the weights of this {type(module).__name__}: {mismatch}")
    module.load_state_dict(state)


def difference(module: nn.Module, state: dict[str, Any]) -> str:
    """Says how weights differ from a module's own in names and shapes; empty when they fit."""
    own = module.state_dict()
    missing = [key for key in own if key not in state]
    strange = [key for key in state if key not in own]
    shapes = [
        key
        for key, value in own.items()
        if isinstance(value, Tensor) and key in state and getattr(state[key], "shape", None) != value.shape
    ]
    parts = [
        f"{len(keys)} {what}, the first {keys[0]!r}"
        for what, keys in (("missing", missing), ("unexpected", strange), ("of another shape", shapes))
        if keys
    ]
    return "; ".join(parts)
