"""What lies between a meta-gradient and the step of G."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from metaloss.training.steps import max_normalised


class OuterUpdate:
    """Averages meta-gradients over some meta steps, and normalises the mean where that is asked for.

    Args:
        accumulate: meta steps per update.
        normalised: divide by the largest absolute entry, as in the published code.
    """

    def __init__(self, accumulate: int, *, normalised: bool) -> None:
        self.accumulate, self.normalised = accumulate, normalised
        self.pending: dict[str, Tensor] = {}
        self.count = 0

    def add(self, gradients: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
        """Takes in one meta-gradient.

        Returns:
            What to step with, when enough have come together.
        """
        for name, value in gradients.items():
            share = value / self.accumulate
            self.pending[name] = self.pending[name] + share if name in self.pending else share
        self.count += 1
        if self.count < self.accumulate:
            return None
        mean, self.pending, self.count = self.pending, {}, 0
        return max_normalised(mean) if self.normalised else mean

    def state(self) -> dict[str, Any]:
        """What has come together since the last update."""
        return {"gradients": dict(self.pending), "count": self.count}

    def load(self, state: Mapping[str, Any], device: torch.device | None) -> None:
        """Takes up what :meth:`state` gave."""
        self.pending = {name: value.to(device) for name, value in state["gradients"].items()}
        self.count = state["count"]
