"""Loads weight files of OpenMMLab's packages, without ever running code from them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from metaloss.networks.wrappers import plain_names
from metaloss.runtime.files import load
from metaloss_frameworks.weights import take_weights


def _named(function: Callable[..., Any], module: str, name: str) -> Callable[..., Any]:
    """The function under the name that a file knows it by."""

    def wrapper(*arguments: Any) -> Any:
        return function(*arguments)

    wrapper.__module__, wrapper.__name__, wrapper.__qualname__ = module, name, name
    return wrapper


# MMEngine's trainer leaves its logs in its checkpoints: arrays, in a class of its own that reading would let change
# that class for everyone, and with methods named by getattr. An empty class takes its place, and getattr is not run.
_LOGS = [
    type("HistoryBuffer", (), {"__module__": "mmengine.logging.history_buffer"}),
    _named(lambda *_: None, "builtins", "getattr"),
    np.ndarray,
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("float64", "float32", "int64", "int32", "bool")),
    *(_named(np.empty(0).__reduce__()[0], f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")),
    *(_named(np.float64().__reduce__()[0], f"numpy.{core}.multiarray", "scalar") for core in ("core", "_core")),
]


def load_weights(network: nn.Module, path: str | os.PathLike[str]) -> None:
    """Loads a local weight file, of a whole network or of its backbone.

    Args:
        network: what gets the weights; it has a ``backbone``.
        path: the file; entries of another name or shape are left out, with a warning.

    Raises:
        CheckpointError: unreadable, or nothing in it fits.
    """
    with torch.serialization.safe_globals(_LOGS):
        content = load(path)
    own = network.state_dict()
    state = plain_names(content.get("state_dict", content), own.keys())
    if not any(name in own for name in state):
        state = {f"backbone.{name}": value for name, value in state.items()}
    take_weights(network, state, path)
