"""Weights of files, whatever they are wrapped in, and whether a module can take them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from metaloss.errors import CheckpointError
from metaloss.networks.wrappers import plain_names

Weights = dict[str, Tensor]
Rename = Callable[[Mapping[str, Tensor]], Weights]
_DEEPEST = 4  # dicts within dicts that are looked into


def difference(module: nn.Module, state: Mapping[str, Any]) -> str:
    """Says how weights differ from a module's own in names, shapes and kinds of numbers; empty when they fit."""
    own = module.state_dict()
    missing = [key for key in own if key not in state]
    strange = [key for key in state if key not in own]
    shapes = [
        key
        for key, value in own.items()
        if isinstance(value, Tensor) and key in state and getattr(state[key], "shape", None) != value.shape
    ]
    kinds = [
        key
        for key, value in own.items()
        if isinstance(value, Tensor) and key in state and key not in shapes and not _storable(state[key], value)
    ]
    parts = [
        f"{len(keys)} {what}, the first {keys[0]!r}"
        for what, keys in (("missing", missing), ("unexpected", strange), ("of another shape", shapes))
        if keys
    ]
    if kinds:
        held = getattr(state[kinds[0]], "dtype", type(state[kinds[0]]).__name__)
        parts.append(f"{len(kinds)} of another kind of number, the first {kinds[0]!r} holds {held}")
    return "; ".join(parts)


def _storable(given: Any, own: Tensor) -> bool:
    """Whether a tensor of a file can stand for a module's own: dense, and of the same kind of number."""
    if not isinstance(given, Tensor) or (given.is_meta and not own.is_meta):
        return False
    kinds = [(each.is_floating_point(), each.is_complex(), each.layout) for each in (given, own)]
    return kinds[0] == kinds[1]


def completed(module: nn.Module, weights: Mapping[str, Tensor]) -> Weights:
    """Fills in what weights of another form of a module lack, where it has ``complete_weights`` to do that."""
    complete = getattr(module, "complete_weights", None)
    return complete(weights) if callable(complete) else dict(weights)


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], path: str | os.PathLike[str]) -> None:
    """Loads weights that must fit; prefixes that torch's wrappers leave in their names do not count.

    Raises:
        CheckpointError: they are those of another network.
    """
    state = completed(module, plain_names(state, module.state_dict().keys()))
    mismatch = difference(module, state)
    if mismatch:
        raise CheckpointError(f"{path}: not the weights of this {type(module).__name__}: {mismatch}")
    module.load_state_dict(state)


def weights_in(content: Mapping[Any, Any]) -> Iterator[Weights]:
    """Finds weights in a file: of all of it, and of each dict within, ``{"model": {...}, "epoch": 3}`` say.

    Args:
        content: what the file holds.

    Yields:
        Weights by name, without the prefixes of torch's wrappers. The names in a dict of several parts,
        ``{"encoder": {...}, "decoder": {...}}``, begin with that of their part and a dot.
    """
    for each in _dicts(content, set()):
        yield _flat(each, set())


def _dicts(content: Mapping[Any, Any], seen: set[int], depth: int = _DEEPEST) -> Iterator[Mapping[Any, Any]]:
    """A dict and those within, each once: a file may hold one in many places."""
    if id(content) in seen or not depth:
        return
    seen.add(id(content))
    yield content
    for part in content.values():
        if isinstance(part, Mapping):
            yield from _dicts(part, seen, depth - 1)


def _flat(content: Mapping[Any, Any], seen: set[int], depth: int = _DEEPEST) -> Weights:
    if id(content) in seen or not depth:
        return {}
    seen.add(id(content))
    weights: Weights = {}
    for name, value in content.items():
        if isinstance(name, str) and isinstance(value, Tensor):
            if not value.is_meta:  # it has a shape, and no numbers
                weights[name] = value
        elif isinstance(name, str) and isinstance(value, Mapping):
            weights.update({f"{name}.{key}": item for key, item in _flat(value, seen, depth - 1).items()})
    return plain_names(weights)


def fitting(
    module: nn.Module, contents: Sequence[Mapping[Any, Any]], rename: Rename | None = None
) -> tuple[Weights, str]:
    """Takes the weights of a module out of the files that hold them together.

    Counters of batches that batch norms have seen, which older files lack, stay the module's own.

    Args:
        module: it may be one without memory (device ``meta``).
        contents: of the files, in any order; one file may hold all parts, ``{"encoder": {...}, "decoder": {...}}``.
        rename: gives a file's weights the module's names, where they are others.

    Returns:
        The weights, and how they differ from the module's, as :func:`difference` says it: empty where they fit.
    """
    own = module.state_dict()
    weights, mismatch = _joined(module, own, contents, rename)
    if not mismatch or len(contents) > 1:
        return weights, mismatch
    for each in _dicts(contents[0], set()):
        parts = [part for part in each.values() if isinstance(part, Mapping)]
        try:
            parts = [part for part in parts if own.keys() & _best(part, own, rename).keys()]
            found, other = _joined(module, own, parts, rename)
        except (ValueError, KeyError, TypeError, AttributeError):  # a rename that knows no parts
            continue
        if len(parts) > 1 and not other:
            return found, other
    return weights, mismatch


def _joined(
    module: nn.Module, own: Mapping[str, Any], contents: Sequence[Mapping[Any, Any]], rename: Rename | None
) -> tuple[Weights, str]:
    """The weights of parts that each have some of a module's names, and how they differ from its own."""
    weights = {name: value for name, value in own.items() if name.endswith("num_batches_tracked")}
    taken: set[str] = set()
    for content in contents:
        part = completed(module, _best(content, own, rename))
        twice = taken & part.keys()
        if twice:
            return weights, f"{min(twice)!r} is in two of the files"
        taken |= part.keys()
        weights.update(part)
    return weights, difference(module, weights)


def _best(content: Mapping[Any, Any], own: Mapping[str, Any], rename: Rename | None) -> Weights:
    """Of all weights in a file, those that have most of a module's names."""
    part: Weights = {}
    for found in weights_in(content):
        for named in (found, rename(found)) if rename else (found,):
            if _matches(named, own) > _matches(part, own) or not part:
                part = named
    return part


def _matches(weights: Mapping[str, Any], own: Mapping[str, Any]) -> tuple[int, int]:
    """How many names are a module's own; where they are as many, how few are not; of strange weights, how many."""
    shared = len(weights.keys() & own.keys())
    return shared, shared - len(weights) if shared else len(weights)
