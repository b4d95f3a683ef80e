"""Train and eval flags, borrowed and given back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

_LENT: dict[nn.Module, tuple[int, list[tuple[nn.Module, bool]]]] = {}
_LOCK = threading.Lock()


@contextmanager
def flags_kept(*modules: nn.Module) -> Iterator[None]:
    """Gives each submodule its own flag back afterwards, whatever it was put into meanwhile."""
    flags = [(module, module.training) for root in modules for module in root.modules()]
    try:
        yield
    finally:
        for module, training in flags:
            module.training = training


@contextmanager
def evaluating(*modules: nn.Module) -> Iterator[None]:
    """Puts modules into evaluation mode, and each submodule's own flag back afterwards."""
    with flags_kept(*modules):
        for root in modules:
            root.eval()
        yield


@contextmanager
def in_evaluation(module: nn.Module) -> Iterator[None]:
    """As :func:`evaluating`, for threads that use one module at a time: the last of them gives the flags back."""
    with _LOCK:
        users, flags = _LENT.get(module) or (0, [(each, each.training) for each in module.modules()])
        _LENT[module] = (users + 1, flags)
        module.eval()
    try:
        yield
    finally:
        with _LOCK:
            users, flags = _LENT.pop(module)
            if users > 1:
                _LENT[module] = (users - 1, flags)
            else:
                for each, training in flags:
                    each.training = training
