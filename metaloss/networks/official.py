"""Reads the fusion-network files published with ReFusion and TDFusion."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

import torch
from torch import Tensor

from metaloss.errors import CheckpointError
from metaloss.networks.refusion import ReFusionNet
from metaloss.networks.wrappers import plain_names
from metaloss.runtime import files

RESTORMER_NAMES = (  # of the published Restormer blocks, as patterns, and ours
    (r"norm1\.body", "attention_norm"),
    (r"norm2\.body", "feed_forward_norm"),
    (r"attn\.temperature", "attention.temperature"),
    (r"attn\.qkv_dwconv", "attention.qkv_depthwise"),
    (r"attn\.qkv", "attention.qkv"),
    (r"attn\.project_out", "attention.projection"),
    (r"ffn\.project_in", "feed_forward.expand"),
    (r"ffn\.dwconv", "feed_forward.depthwise"),
    (r"ffn\.project_out", "feed_forward.projection"),
)
_MIXING = (
    (r"FM\.temperature(\d)", r"mixing.branches.\1.temperature"),
    (r"FM\.qkv(\d)_dwconv", r"mixing.branches.\1.qkv_depthwise"),
    (r"FM\.qkv(\d)", r"mixing.branches.\1.qkv"),
    (r"FM\.project_mid(\d)", r"mixing.branches.\1.projection"),
    (r"FM\.project_E(\d)_d", r"mixing.branches.\1.value_depthwise"),
    (r"FM\.project_E(\d)", r"mixing.branches.\1.value"),
    (r"FM\.project_E_d", "mixing.gate_depthwise"),
    (r"FM\.project_E", "mixing.gate"),
    (r"FM\.project_out(\d)", r"mixing.branches.\1.output"),
)
_OUTER = (
    (r"project_in_(\d)", r"embed.\1"),
    (r"encoder(\d)\.", r"encoders.\1."),
    (r"project_out_0", "head.0"),
    (r"project_out_1", "head.2"),
)


def load_official(path: str | os.PathLike[str]) -> ReFusionNet:
    """Builds the fusion network from a published weight file.

    The published files list every convolution weight twice, as ``x.weight`` and ``x.conv.weight``.

    Args:
        path: the file; read with ``weights_only=True``, so no code in it is run.

    Returns:
        The network in evaluation mode, on the CPU.

    Raises:
        CheckpointError: no such file, not a file of tensors, or the weights of another network.
    """
    content = files.load(path)
    if not is_official(content):
        raise CheckpointError(f"{path}: not the weights of the published ReFusion / TDFusion fusion network")
    network = ReFusionNet()
    try:
        network.load_state_dict(convert_official(plain_names(content)))
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path}: not the published fusion network: {reason}") from None
    return network.eval()


def is_official(content: object) -> bool:
    """Says whether a loaded file looks like a published fusion network: a flat dict of tensors with its names."""
    if not isinstance(content, dict):
        return False
    if not all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()):
        return False
    names = plain_names(content)
    return "FM.temperature1" in names and "project_in_1.weight" in names


def convert_official(published: dict[str, Tensor]) -> dict[str, Tensor]:
    """Renames the published keys to those of :class:`ReFusionNet`.

    Raises:
        ValueError: the two copies of a weight differ.
    """
    converted: dict[str, Tensor] = {}
    for key, value in published.items():
        name = key.replace(".conv.weight", ".weight")
        name = renamed(name, (*_MIXING, *_OUTER, *RESTORMER_NAMES))
        name = re.sub(r"^(embed|encoders|mixing\.branches)\.(\d)", lambda m: f"{m[1]}.{int(m[2]) - 1}", name)
        if name in converted and not torch.equal(converted[name], value):
            raise ValueError(f"the two copies of {name} differ")
        converted[name] = value
    return converted


def renamed(name: str, patterns: Iterable[tuple[str, str]]) -> str:
    """Replaces what patterns find in the name of a weight, at its beginning or behind a dot."""
    for pattern, replacement in patterns:
        name = re.sub(rf"(?:^|(?<=\.)){pattern}", replacement, name)
    return name
