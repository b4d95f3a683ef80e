"""Copies of networks, also of those that keep activations."""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torch.utils import _pytree as pytree


def copy_of(network: nn.Module) -> nn.Module:
    """Copies a network; tensors that it keeps from its last run, with their graph, become plain ones.

    ``copy.deepcopy`` refuses tensors that are results, as in ``self.features = ...`` within ``forward``.
    """
    kept = [
        item
        for part in network.modules()
        for key, value in vars(part).items()
        if key not in ("_parameters", "_modules")
        for item in pytree.tree_leaves(value)
        if isinstance(item, Tensor) and not item.is_leaf
    ]
    return copy.deepcopy(network, {id(tensor): tensor.detach().clone() for tensor in kept})
