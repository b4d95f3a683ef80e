"""Networks that encode both sources with the same layers, or each source with its own."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from metaloss_fusion.layers import TwoSources, named

_OWN = "vi."


class SharedEncoder(TwoSources):
    """A network whose sources go through the same layers, and are merged by a maximum, a sum or a mean behind them.

    It gives the same image when the sources are exchanged: it can learn what a place looks like, and not which source
    to follow there. With ``shared_encoder=False`` the visible image has layers of its own, ``vi``, which begin as
    copies: the image is the same until they learn. Train it with ``exchange=False`` then, or it learns again to treat
    the sources alike.

    Attributes:
        encoder: the names of the layers that each source goes through, in order.
    """

    encoder: ClassVar[tuple[str, ...]]
    vi: nn.ModuleDict | None

    def share_encoder(self, shared: bool) -> None:
        """Ends the making of a network: gives the visible image its own layers, where none are shared."""
        self.vi = None if shared else named(**{name: copy.deepcopy(getattr(self, name)) for name in self.encoder})

    def encoders(self) -> tuple[tuple[nn.Module, ...], tuple[nn.Module, ...]]:
        """The layers that the infrared and the visible image go through."""
        first = tuple(getattr(self, name) for name in self.encoder)
        return first, first if self.vi is None else tuple(self.vi[name] for name in self.encoder)

    def complete_weights(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Fills in what weights with a shared encoder lack: the layers of the visible image begin as copies.

        Args:
            weights: of this network in either form; what they lack otherwise stays missing.
        """
        if self.vi is None or any(name.startswith(_OWN) for name in weights):
            return dict(weights)
        layers = tuple(f"{name}." for name in self.encoder)
        return {**weights, **{f"{_OWN}{name}": value for name, value in weights.items() if name.startswith(layers)}}
