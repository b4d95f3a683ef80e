"""The optimizers of F, T and G."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.optim import Optimizer


class Optimizers(dict[str, "Optimizer | None"]):
    """The optimizers by network; ``None`` for one that was not given and not needed so far.

    Args:
        networks: F, T and the loss with G.
        given: the optimizers that were given, or ``None`` each.
        lr: of the default ones, Adam.
        plain_loss: whether the default one of the loss is plain SGD.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        given: Mapping[str, Optimizer | None],
        *,
        lr: float,
        plain_loss: bool = False,
    ) -> None:
        super().__init__(given)
        self.networks, self.lr, self.plain_loss = networks, lr, plain_loss

    def needed(self, name: str) -> Optimizer:
        """The optimizer of a network; built with the default settings when first needed."""
        optimizer = self[name]
        if optimizer is None:
            params = [param for param in self.networks[name].parameters() if param.requires_grad]
            rule = torch.optim.SGD if name == "loss" and self.plain_loss else torch.optim.Adam
            optimizer = self[name] = rule(params, lr=self.lr)
        return optimizer
