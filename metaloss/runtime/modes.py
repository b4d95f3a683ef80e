"""Train and eval flags, borrowed and given back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


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
