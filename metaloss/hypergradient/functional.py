"""Modules as functions of their parameters, and random numbers that can be drawn again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call

Result = TypeVar("Result")


class _Body(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, body: Callable[[nn.Module], Any]) -> Any:
        return body(self.module)


def with_tensors(
    module: nn.Module, params: Mapping[str, Tensor], buffers: Mapping[str, Tensor], body: Callable[[nn.Module], Result]
) -> Result:
    """Runs ``body(module)`` with other tensors in the place of the module's own.

    Gradients are taken inside ``body``, while the tensors are still in place: activation
    checkpointing inside the module then recomputes with the right weights.

    Args:
        module: any module.
        params: every parameter by name; a missing one is an error, never silently the module's own.
        buffers: every buffer by name; in-place changes go to these tensors.
        body: what to run.

    Returns:
        What ``body`` returned.
    """
    tensors = {f"module.{name}": tensor for name, tensor in (*params.items(), *buffers.items())}
    result: Result = functional_call(_Body(module), tensors, (body,), strict=True)
    return result


def trainable(module: nn.Module) -> dict[str, Tensor]:
    """The module's trainable parameters by name, detached; they share memory with the module's own."""
    return {name: param.detach() for name, param in module.named_parameters() if param.requires_grad}


def frozen(module: nn.Module) -> dict[str, Tensor]:
    """The module's parameters that do not learn, by name."""
    return {name: param.detach() for name, param in module.named_parameters() if not param.requires_grad}


def leaves(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same values as new leaves that record gradients."""
    return {name: tensor.detach().requires_grad_() for name, tensor in tensors.items()}


def cloned_buffers(module: nn.Module) -> dict[str, Tensor]:
    """Copies of the module's buffers by name."""
    return clones(dict(module.named_buffers()))


def clones(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of tensors by name."""
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def gradients(output: Tensor, inputs: Mapping[str, Tensor], *, create_graph: bool = False) -> dict[str, Tensor]:
    """First-order gradients by name, zero where the output does not depend on an input."""
    if not inputs:
        return {}
    values = torch.autograd.grad(
        output, tuple(inputs.values()), create_graph=create_graph, allow_unused=True, materialize_grads=True
    )
    return dict(zip(inputs, values, strict=True))


@dataclass(frozen=True)
class RandomState:
    """The state of the global random generators."""

    cpu: Tensor
    cuda: tuple[Tensor, ...]

    @staticmethod
    def now() -> RandomState:
        """Reads the current state of every generator in use."""
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else []
        return RandomState(torch.get_rng_state(), tuple(cuda))

    def restore(self) -> None:
        """Sets the generators to this state."""
        torch.set_rng_state(self.cpu)
        if self.cuda:
            torch.cuda.set_rng_state_all(list(self.cuda))

    @contextmanager
    def replayed(self) -> Iterator[None]:
        """Draws again from this state; the generators go on afterwards as if nothing had been drawn."""
        here = RandomState.now()
        self.restore()
        try:
            yield
        finally:
            here.restore()
