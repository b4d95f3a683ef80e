"""Builds a network again from what a checkpoint says of it, which may be anything."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from metaloss.errors import CheckpointError, ConfigError, MetaLossError, PluginError

Build = Callable[[], nn.Module]
_WAYS = {
    "fusion network": "give what builds it, as metaloss.load(path, fusion=network) in Python or as --network "
    "FILE.py:FUNCTION to `metaloss fuse`, or "
}
LARGEST = 1024  # of the whole numbers in a spec that the weights themselves do not bear out


def rebuild(
    spec: Mapping[str, Any],
    state: Mapping[str, Any],
    path: str | os.PathLike[str],
    what: str,
    build: Callable[..., nn.Module],
    build_from_config: Callable[[dict[str, Any], list[str]], nn.Module] | None,
) -> nn.Module:
    """Builds a network by its spec, once it is known to be no larger than its weights.

    Args:
        spec: ``name`` and ``arguments``, or ``config`` and ``imports``.
        state: its weights.
        path: of the checkpoint, for messages.
        what: it is, for messages.
        build: builds it by name.
        build_from_config: builds it from the config and the imports.

    Raises:
        CheckpointError: it cannot be built, or is another network than that of the weights.
        PluginError: the plug-in that gave the network is not installed.
    """
    make = _maker(spec, build, build_from_config)
    if make is None:
        raise CheckpointError(
            f"{path}: its {what} {spec.get('class', 'from a config')} was not built by name, so it cannot be rebuilt "
            f"here: {_WAYS.get(what, '')}register it as a plug-in and build it by name"
        )
    try:
        _check_numbers(spec, state)
        if "name" in spec:
            _check_size(make, state)
        return make()
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except PluginError:
        raise
    except ConfigError as error:
        raise CheckpointError(f"{path}: its {what} cannot be built again: {error}") from None
    except Exception as error:  # arguments that its factory does not take
        raise CheckpointError(
            f"{path}: its {what} cannot be built again ({type(error).__name__}: {' '.join(str(error).split())[:120]})"
        ) from error


def _maker(
    spec: Mapping[str, Any],
    build: Callable[..., nn.Module],
    build_from_config: Callable[[dict[str, Any], list[str]], nn.Module] | None,
) -> Build | None:
    if isinstance(spec.get("name"), str) and isinstance(spec.get("arguments"), dict):
        arguments = {str(name): value for name, value in spec["arguments"].items()}
        return lambda: build(spec["name"], **arguments)
    if isinstance(spec.get("config"), dict) and build_from_config is not None:
        imports = spec.get("imports", [])
        listed = list(imports) if isinstance(imports, (list, tuple)) else [imports]
        return lambda: build_from_config(spec["config"], listed)
    return None


def _check_numbers(spec: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Refuses numbers that no network of these weights can have been built with: they may ask for any memory."""
    sides = [side for value in state.values() if isinstance(value, Tensor) for side in value.shape]
    limit = max([LARGEST, len(state), *(side for side in sides if side < 2**20)])
    for number in _numbers(spec, set()):
        if abs(number) > limit:
            raise CheckpointError(
                f"its network is to be built with {number:,}, and its weights have nothing of that size"
            )


def _numbers(part: Any, seen: set[int]) -> Iterator[float]:
    """The numbers in a spec, each list and dict once: it may hold itself, or another a million times."""
    if isinstance(part, (Mapping, list, tuple)):
        if id(part) not in seen:
            seen.add(id(part))
            for value in part.values() if isinstance(part, Mapping) else part:
                yield from _numbers(value, seen)
    elif isinstance(part, (int, float)) and not isinstance(part, bool):
        yield part


def _check_size(make: Build, state: Mapping[str, Any]) -> None:
    """Builds the network without memory for its weights, and refuses one with many more than the file has."""
    try:
        with torch.device("meta"):
            network = make()
    except MetaLossError:
        raise
    except Exception:  # some networks compute with their weights when they are built
        return
    wanted = sum(value.numel() for value in network.state_dict().values() if isinstance(value, Tensor))
    there = sum(value.numel() for value in state.values() if isinstance(value, Tensor))
    if wanted > 2 * there + LARGEST**2:
        raise CheckpointError(f"its network would have {wanted:,} weights, and the file has {there:,}")
