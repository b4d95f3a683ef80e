"""Random numbers that can be drawn again: torch's, NumPy's, Python's, and those of generators that a module holds."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

Generators = tuple[Any, ...]
_KINDS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)


def own_generators(*modules: nn.Module) -> Generators:
    """The random generators that modules or their parts hold as attributes, each once."""
    found = {
        id(value): value
        for module in modules
        for part in module.modules()
        for value in vars(part).values()
        if isinstance(value, _KINDS)
    }
    return tuple(found.values())


@dataclass(frozen=True)
class RandomState:
    """The state of the global random generators, and of some others."""

    restorers: tuple[Callable[[], Any], ...]
    generators: Generators

    @staticmethod
    def now(generators: Generators = ()) -> RandomState:
        """Reads the current state of every global generator in use.

        Args:
            generators: others, of torch, NumPy or Python's ``random``.
        """
        cpu, numpy_state, python_state = torch.get_rng_state(), np.random.get_state(), random.getstate()
        restorers: list[Callable[[], Any]] = [
            lambda: torch.set_rng_state(cpu),
            lambda: np.random.set_state(numpy_state),
            lambda: random.setstate(python_state),
        ]
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            cuda = torch.cuda.get_rng_state_all()
            restorers.append(lambda: torch.cuda.set_rng_state_all(cuda))
        return RandomState((*restorers, *map(_restorer, generators)), generators)

    def restore(self) -> None:
        """Sets the generators to this state."""
        for restore in self.restorers:
            restore()

    @contextmanager
    def replayed(self) -> Iterator[None]:
        """Draws again from this state; the generators go on afterwards as if nothing had been drawn."""
        here = RandomState.now(self.generators)
        self.restore()
        try:
            yield
        finally:
            here.restore()


def _restorer(generator: Any) -> Callable[[], Any]:
    if isinstance(generator, torch.Generator):
        tensor = generator.get_state()
        return lambda: generator.set_state(tensor)
    if isinstance(generator, np.random.Generator):
        values = generator.bit_generator.state
        return lambda: setattr(generator.bit_generator, "state", values)
    if isinstance(generator, np.random.RandomState):
        state = generator.get_state()
        return lambda: generator.set_state(state)
    python = generator.getstate()
    return lambda: generator.setstate(python)
