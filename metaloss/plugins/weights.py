"""Rebuilds a trained fusion network from a file: our own checkpoints, and the published ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from metaloss import checkpoint
from metaloss.errors import CheckpointError
from metaloss.networks.official import is_official, load_official
from metaloss.plugins.manager import build_fusion


def load_fusion(
    path: str | os.PathLike[str], build_from_config: Callable[[dict[str, Any], list[str]], nn.Module] | None = None
) -> nn.Module:
    """Rebuilds the fusion network that a file holds.

    Args:
        path: a checkpoint of ``metaloss train`` or ``MetaLearner.fit``, or a published weight file.
        build_from_config: builds a network that a training config defined, from that config and the
            modules it imports.

    Returns:
        The network, in evaluation mode, on the CPU.

    Raises:
        CheckpointError: unreadable, not from metaloss, or the weights of another network.
        PluginError: the plug-in that gave the network is not installed.
    """
    content = checkpoint.load(path)
    if is_official(content):
        return load_official(path)
    spec = content.get("metaloss", {}).get("fusion") if isinstance(content.get("metaloss"), dict) else None
    if not isinstance(spec, dict):
        raise CheckpointError(
            f"{path}: holds no fusion network: expected a checkpoint of `metaloss train` or `MetaLearner.fit`, or a "
            "published ReFusion or TDFusion file"
        )
    if "name" in spec:
        network = build_fusion(spec["name"], **spec["arguments"])
    elif "config" in spec and build_from_config is not None:
        network = build_from_config(spec["config"], spec["imports"])
    else:
        raise CheckpointError(
            f"{path}: its fusion network {spec.get('class', 'from a config')} was not built by name, so it cannot be "
            "rebuilt here: register it as a plug-in and build it with metaloss.build_fusion, or load the file in Python"
        )
    load_strictly(network, fusion_state(content), path)
    return network.eval()


def fusion_state(content: dict[str, Any]) -> dict[str, Tensor]:
    """The fusion network's entries of a checkpoint, the library's or the trainer's."""
    if "state_dict" in content:
        state = content["state_dict"]
        return {key.removeprefix("fusion."): value for key, value in state.items() if key.startswith("fusion.")}
    return dict(content.get("fusion", {}))


def load_strictly(module: nn.Module, state: dict[str, Tensor], path: str | os.PathLike[str]) -> None:
    """Loads weights that must fit.

    Raises:
        CheckpointError: they are those of another network.
    """
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
