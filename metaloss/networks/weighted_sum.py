"""A fusion that has no network of its own: the weighted sum of the sources."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from metaloss.batch import check_sources
from metaloss.errors import ShapeError
from metaloss.networks.loss_generator import LossGenerator


class WeightedSum(nn.Module):
    """``I_f = sum_k w_k I_k`` with the intensity weights of a loss generator (TDFusion Table 3, V).

    Args:
        generator: G, ``(*sources) -> weights (B, n, H, W)`` or a dict with such under ``"intensity"``;
            default: a :class:`LossGenerator`.
        sources: n >= 2, for the default generator.
        outputs: of the default generator.
        level: of the default generator.

    Raises:
        ConfigError: fewer than two sources, or unknown outputs.
    """

    def __init__(
        self,
        generator: nn.Module | None = None,
        *,
        sources: int = 2,
        outputs: Sequence[str] = ("intensity",),
        level: bool = False,
    ) -> None:
        super().__init__()
        self.generator = LossGenerator(sources, outputs, level) if generator is None else generator
        self.arguments = getattr(self.generator, "arguments", None)

    def forward(self, *sources: Tensor) -> Tensor:
        """Fuses n sources, each (B, C, H, W), into one image of that shape.

        Raises:
            ShapeError: the sources differ in shape, or there are not as many weights.
        """
        check_sources(sources)
        proposed = self.generator(*sources)
        weights: Tensor = proposed["intensity"] if isinstance(proposed, dict) else proposed
        if weights.shape[1] != len(sources):
            raise ShapeError(f"the loss generator proposed {weights.shape[1]} weights for {len(sources)} sources")
        return weighted_sum(weights, sources)


def weighted_sum(weights: Tensor, sources: Sequence[Tensor]) -> Tensor:
    """``sum_k w_k I_k``.

    Args:
        weights: of shape (B, n, H, W).
        sources: n tensors of shape (B, C, H, W).

    Returns:
        Of shape (B, C, H, W).
    """
    parts = [weight * source for weight, source in zip(weights.split(1, dim=1), sources, strict=True)]
    total: Tensor = reduce(torch.add, parts)
    return total
