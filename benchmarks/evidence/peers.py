"""Published fusion networks as starting points."""

from __future__ import annotations

from typing import Any

from torch import nn

from benchmarks.evidence.problems import DATA
from metaloss import build_fusion
from metaloss.errors import DataError

OWN = " own encoders"
"""Behind the name of a network that encodes both sources with the same layers: each source has its own then."""


def published_network(name: str, **arguments: Any) -> nn.Module:
    """Builds a published network with its authors' weights, in evaluation mode.

    Args:
        name: of the network; its files are those of ``$METALOSS_DATA/peers/NAME``. With :data:`OWN` behind it each
            source has an encoder of its own.
        arguments: of the network.

    Raises:
        DataError: there are none.
    """
    if name.endswith(OWN):
        name, arguments = name.removesuffix(OWN), {"shared_encoder": False, **arguments}
    folder = DATA / "peers" / name
    files = sorted(file for file in folder.glob("*") if file.is_file())
    if not files:
        raise DataError(f"{folder}: no weights of {name}; docs/peers.md says where its authors publish them")
    return build_fusion(name, weights=files, **arguments)
