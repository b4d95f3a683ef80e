"""Builds fusion networks by name, and again from a file: our own checkpoints, and the published ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from metaloss.errors import CheckpointError
from metaloss.networks.official import is_official, load_official
from metaloss.plugins.fitting import load_strictly
from metaloss.plugins.manager import build_loss_generator, built_by_name, find
from metaloss.plugins.published import published_weights, recognised, refusal
from metaloss.plugins.rebuild import rebuild
from metaloss.plugins.trained_range import keep_range
from metaloss.runtime import files

BuildFromConfig = Callable[[dict[str, Any], list[str]], nn.Module]
"""Builds a network that a training config defined, from that config and the modules it imports."""

Files = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""A file, or several that hold the weights of one network together."""


def build_fusion(name: str, /, *, weights: Files | None = None, **arguments: Any) -> nn.Module:
    """Builds a fusion network by name; it remembers its record, so that checkpoints can name it.

    Args:
        name: of a fusion network record.
        weights: a published file of this network, or several that hold its parts, or a checkpoint of ours. Read as
            data alone; checkpoints that are saved later hold the weights and not the path.
        arguments: for its factory; plain values, since checkpoints keep them. Those of a checkpoint need not be given
            again.

    Returns:
        The network, on the CPU; in evaluation mode where it has weights.

    Raises:
        PluginError: unknown name, or a package that is not installed.
        ConfigError: arguments that its factory does not take.
        CheckpointError: a file that cannot be read, or with other weights; of which network, where that is known.

    Examples:
        >>> import torch
        >>> import metaloss
        >>> network = metaloss.build_fusion("seafusion")  # weights="SeAFusion.pth", if you have that file
        >>> network(torch.rand(1, 1, 24, 32), torch.rand(1, 1, 24, 32)).shape
        torch.Size([1, 1, 24, 32])
    """
    if weights is None:
        return built_by_name("fusion_networks", name, arguments)
    record, paths = find("fusion_networks", name), paths_of(weights)
    contents = [files.load(path) for path in paths]
    spec = spec_of(contents[0], "fusion")
    if spec is not None and len(paths) == 1:
        return _from_checkpoint(name, arguments, spec, contents[0], paths[0])
    network = built_by_name("fusion_networks", name, arguments)
    found, mismatch = published_weights(network, record, contents)
    if mismatch:
        raise refusal(contents, paths, f"not the weights of {name!r}: {mismatch}")
    network.load_state_dict(found)
    return network.eval()


def _from_checkpoint(
    name: str, arguments: dict[str, Any], spec: dict[str, Any], content: dict[str, Any], path: str | os.PathLike[str]
) -> nn.Module:
    if spec.get("name", name) != name:
        raise CheckpointError(f"{path}: holds a network {spec['name']!r} and not {name!r}")
    state = part_state(content, "fusion")
    kept = spec.get("arguments")
    given = {**(kept if isinstance(kept, dict) else {}), **arguments}
    network = rebuild({"name": name, "arguments": given}, state, path, "fusion network", _by_name, None)
    load_strictly(network, state, path)
    keep_range_of(network, content, path)
    return network.eval()


def load_fusion(weights: Files, build_from_config: BuildFromConfig | None = None) -> nn.Module:
    """Rebuilds the fusion network that a file holds.

    Args:
        weights: a checkpoint of ``metaloss train`` or ``MetaLearner.fit``, or a published weight file, or several that
            hold the parts of one network.
        build_from_config: for networks from a training config.

    Returns:
        The network, in evaluation mode, on the CPU.

    Raises:
        CheckpointError: unreadable, of no network that is known, or the weights of another network.
        PluginError: the plug-in that gave the network is not installed.
    """
    paths = paths_of(weights)
    contents = [files.load(path) for path in paths]
    path, content = paths[0], contents[0]
    spec = spec_of(content, "fusion")
    if spec is None or len(paths) > 1:
        return _published(contents, paths)
    state = part_state(content, "fusion")
    network = rebuild(spec, state, path, "fusion network", _by_name, build_from_config)
    load_strictly(network, state, path)
    keep_range_of(network, content, path)
    return network.eval()


def _published(contents: list[dict[str, Any]], paths: list[str | os.PathLike[str]]) -> nn.Module:
    if len(paths) == 1 and is_official(contents[0]):
        return load_official(paths[0])
    names = recognised(contents)
    if len(names) == 1:
        return build_fusion(names[0], weights=paths)
    if names:
        raise CheckpointError(f"{paths[0]}: may be of {' or of '.join(map(repr, names))}: say which, with --network")
    raise refusal(
        contents,
        paths,
        "holds no fusion network: expected a checkpoint of `metaloss train` or `MetaLearner.fit`, or a published file",
    )


def _by_name(name: str, /, **arguments: Any) -> nn.Module:
    return built_by_name("fusion_networks", name, arguments)


def paths_of(weights: Files) -> list[str | os.PathLike[str]]:
    """The files, one or several.

    Raises:
        CheckpointError: none is given.
    """
    paths = [weights] if isinstance(weights, (str, os.PathLike)) else list(weights)
    if not paths:
        raise CheckpointError("no weight file is given")
    return paths


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
    spec = spec_of(content, "generator")
    if spec is None:
        what = "is a published file of a fusion network alone" if is_official(content) else "holds no loss generator"
        raise CheckpointError(
            f"{path}: {what}: expected a checkpoint of `metaloss train` or `MetaLearner.fit` with learned weights"
        )

    state = part_state(content, "loss", "generator.")
    generator = rebuild(spec, state, path, "loss generator", build_loss_generator, build_from_config)
    load_strictly(generator, state, path)
    keep_range_of(generator, content, path)
    return generator.eval()


def keep_range_of(network: nn.Module, content: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Tells a network which range its checkpoint was trained with.

    Raises:
        CheckpointError: what the checkpoint says of it is no range.
    """
    try:
        keep_range(network, content)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def spec_of(content: Mapping[str, Any], part: str) -> dict[str, Any] | None:
    """What a checkpoint of ours says of its fusion network or loss generator; ``None`` where it says nothing."""
    ours = content.get("metaloss")
    spec = ours.get(part) if isinstance(ours, dict) else None
    return spec if isinstance(spec, dict) else None


def part_state(content: Mapping[str, Any], part: str, prefix: str = "") -> dict[str, Tensor]:
    """The entries of one part of a checkpoint whose names begin with a prefix."""
    if "state_dict" in content and part not in content:  # as MMEngine's own runner writes it
        content, prefix = {part: content["state_dict"]}, f"{part}.{prefix}"
    state = content.get(part)
    entries = state.items() if isinstance(state, Mapping) else ()
    return {
        key.removeprefix(prefix): value for key, value in entries if isinstance(key, str) and key.startswith(prefix)
    }
