"""A network at its fast weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from metaloss.hypergradient.functional import cloned_buffers, clones, frozen, swapped, trainable
from metaloss.hypergradient.random_state import Generators, RandomState, own_generators


@dataclass
class FastWeights:
    """A network's tensors on their way through the inner updates.

    Attributes:
        module: the network; its own tensors stay as they are.
        params: the trainable parameters by name, detached.
        frozen: the other parameters.
        buffers: copies of its buffers, which go on from one run to the next.
        generators: random generators that the network holds itself.
        state: of the inner update rule.
        active: whether these tensors are in place at this moment.
    """

    module: nn.Module
    params: dict[str, Tensor]
    frozen: dict[str, Tensor]
    buffers: dict[str, Tensor]
    generators: Generators = ()
    state: Any = None
    active: bool = False

    @staticmethod
    def of(module: nn.Module, state: Any = None) -> FastWeights:
        """Starts at the module's own weights, with copies of its buffers."""
        return FastWeights(
            module, trainable(module), frozen(module), cloned_buffers(module), own_generators(module), state
        )

    @contextmanager
    def swapped(self, params: dict[str, Tensor]) -> Iterator[nn.Module]:
        """Puts these trainable parameters in place while the block runs, and the buffers of the run before.

        Every run works on buffers of its own, copied from the run before (or around) it: a graph that is still
        needed never sees them change.
        """
        around, self.active = self.active, True
        self.buffers = clones(dict(self.module.named_buffers()) if around else self.buffers)
        try:
            with swapped(self.module, {**params, **self.frozen}, self.buffers) as module:
                yield module
        finally:
            self.active = around

    @contextmanager
    def replayed(
        self, params: dict[str, Tensor], buffers: dict[str, Tensor], random: RandomState
    ) -> Iterator[nn.Module]:
        """Puts parameters, copies of earlier buffers and random numbers in place, for a run that leaves no trace."""
        with random.replayed(), swapped(self.module, {**params, **self.frozen}, clones(buffers)) as module:
            yield module
