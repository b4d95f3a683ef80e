"""Puts a file's weights into a framework's network, as far as they fit."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from metaloss.errors import CheckpointError
from metaloss.networks.wrappers import plain_names


def take_weights(network: nn.Module, state: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Takes over the entries that fit in name and shape.

    Args:
        network: what gets the weights.
        state: of a whole network; prefixes that torch's wrappers leave in the names do not count.
        path: the file they come from, for messages; a warning counts the entries that stay as initialised.

    Raises:
        CheckpointError: nothing fits.
    """
    own = network.state_dict()
    state = plain_names(state, own.keys())
    fitting = {
        name: value
        for name, value in state.items()
        if name in own and isinstance(value, Tensor) and own[name].shape == value.shape
    }
    if not fitting:
        raise CheckpointError(f"{path}: holds no weights of {type(network).__name__} with this backbone")
    network.load_state_dict(fitting, strict=False)
    left = sorted(name for name in own if name not in fitting)
    if left:
        warnings.warn(f"{path}: {len(left)} entries stay as initialised, the first {left[0]!r}", stacklevel=4)
