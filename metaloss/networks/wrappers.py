"""What torch wraps around networks, and leaves in the names of their weights."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

Value = TypeVar("Value")
_PARALLEL = "module."
_COMPILED = re.compile(r"(?<![^.])_orig_mod\.")


def unwrapped(network: nn.Module) -> nn.Module:
    """The network inside of ``DataParallel``, ``DistributedDataParallel`` and ``torch.compile``; else itself."""
    while True:
        parallel = isinstance(network, (DataParallel, DistributedDataParallel))
        inner: Any = getattr(network, "module" if parallel else "_orig_mod", None)
        if not isinstance(inner, nn.Module):
            return network
        network = inner


def plain_names(state: Mapping[str, Value], own: Collection[str] = ()) -> dict[str, Value]:
    """Takes wrappers' prefixes off the names of weights.

    ``_orig_mod.`` (``torch.compile``) is taken off anywhere, ``module.`` (``DataParallel``,
    ``DistributedDataParallel``, averaged weights) where every name begins with it.

    Args:
        state: weights by name.
        own: names that the network knows, which are no wrapper's: ``ModuleTask`` has a ``module`` of its own.

    Returns:
        The weights by their plain names.
    """
    plain = {name if name in own else _COMPILED.sub("", name): value for name, value in state.items()}
    while plain and not any(name in own for name in plain):
        bare = {name: value for name, value in plain.items() if name != "n_averaged"}
        if not bare or not all(name.startswith(_PARALLEL) for name in bare):
            break
        plain = {_COMPILED.sub("", name.removeprefix(_PARALLEL)): value for name, value in bare.items()}
    return plain
