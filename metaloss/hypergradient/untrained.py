"""Tensors that need a gradient and that nobody would train."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from metaloss.errors import ConfigError
from metaloss.hypergradient.calls import fuse
from metaloss.hypergradient.execution import Execution
from metaloss.hypergradient.fast_weights import FastWeights
from metaloss.hypergradient.functional import graph_nodes, leaves
from metaloss.hypergradient.random_state import RandomState


def check_trained(fusion: nn.Module, sources: tuple[Tensor, ...], execution: Execution) -> None:
    """Checks that all that needs a gradient in F is a parameter of F.

    Args:
        fusion: F.
        sources: n tensors of shape (B, C, H, W).
        execution: how it is run.

    Raises:
        ConfigError: naming what is not.
    """
    found = untrained_tensors(fusion, sources, execution)
    if found:
        raise ConfigError(
            f"{len(found)} {'tensors need' if len(found) > 1 else 'tensor needs'} a gradient but "
            f"{'are no parameters' if len(found) > 1 else 'is no parameter'} of {type(fusion).__name__}, and would "
            f"never be trained: {', '.join(found[:3])}{' ...' * (len(found) > 3)}; make them parameters "
            "(nn.Parameter in the place of a buffer, nn.ModuleList in the place of a list, "
            "metaloss.Adapted((first, second), call=...) for several modules), or freeze them with "
            "requires_grad_(False)"
        )


def untrained_tensors(fusion: nn.Module, sources: tuple[Tensor, ...], execution: Execution) -> list[str]:
    """Finds the tensors behind one fused image that need a gradient and are no parameters of F.

    F runs once; nothing is left of that.

    Args:
        fusion: F.
        sources: n tensors of shape (B, C, H, W).
        execution: how it is run.

    Returns:
        What they are called, as far as they can be found, in no more than a few words each.
    """
    network = FastWeights.of(fusion)
    params = leaves(network.params)
    with (
        torch.enable_grad(),
        RandomState.now(network.generators).replayed(),
        network.swapped(params) as module,
    ):
        fused = fuse(module, sources, execution, derivatives=2)
        nodes = list(graph_nodes([fused]))
    own = {id(param) for param in params.values()}
    strangers = {id(node.variable): node.variable for node in nodes if hasattr(node, "variable")}
    names = dict(_reachable(fusion))
    found = [f"{name} (a buffer)" for name, buffer in fusion.named_buffers() if buffer.requires_grad]
    return found + [
        names.get(key, f"a tensor of shape {tuple(tensor.shape)}")
        for key, tensor in strangers.items()
        if key not in own
    ]


def _reachable(fusion: nn.Module) -> Iterator[tuple[int, str]]:
    """Tensors by identity that a module holds without having registered them."""
    for prefix, part in fusion.named_modules():
        for key, value in vars(part).items():
            if key in ("_parameters", "_buffers", "_modules"):
                continue
            where = f"{prefix}.{key}" if prefix else key
            yield from _inside(value, where, "an attribute")
            for name, closed_over in _closed_over(value):
                yield from _inside(closed_over, name, f"used by `{key}`, not registered")


def _inside(value: Any, where: str, what: str) -> Iterator[tuple[int, str]]:
    if isinstance(value, Tensor):
        yield id(value), f"{where} ({what})"
    elif isinstance(value, nn.Module):
        for name, param in value.named_parameters():
            yield id(param), f"{where}.{name} ({what})"
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _inside(item, f"{where}.{number}", f"in a {type(value).__name__}")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _inside(item, f"{where}.{key}", "in a dict")


def _closed_over(function: Any) -> Iterator[tuple[str, Any]]:
    code = getattr(function, "__code__", None)
    if code is None:
        return
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    for name in code.co_names:
        if name in function.__globals__:
            yield name, function.__globals__[name]
