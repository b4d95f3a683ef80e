"""Published fusion networks as starting points."""

from __future__ import annotations

from typing import Any

from torch import nn

from benchmarks.evidence.problems import DATA
from metaloss import build_fusion
from metaloss.errors import DataError


def published_network(name: str, **arguments: Any) -> nn.Module:
    """Builds a published network with its authors' weights, in evaluation mode.

    Args:
        name: of the network; its files are those of ``$METALOSS_DATA/peers/NAME``.
        arguments: of the network.

    Raises:
        DataError: there are none.
    """
    folder = DATA / "peers" / name
    files = sorted(file for file in folder.glob("*") if file.is_file())
    if not files:
        raise DataError(f"{folder}: no weights of {name}; docs/peers.md says where its authors publish them")
    return build_fusion(name, weights=files, **arguments)
