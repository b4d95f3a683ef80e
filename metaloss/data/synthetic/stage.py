"""The ground plane that things stand on, and the channels of the canvas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

# The channels of the canvas: what a place looks like, its heat, its own light, how far it is.
RGB, HEAT, GLOW, DISTANCE = slice(0, 3), slice(3, 4), slice(4, 5), slice(5, 6)
_HORIZON_DISTANCE = 16.0
_CAMERA_HEIGHT = 3.0  # metres


@dataclass(frozen=True)
class Stage:
    """Where things stand: the ground plane seen from a camera three metres up.

    Attributes:
        rng: the source of all that is random in the scene.
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        horizon: its row, in pixels from the top.
        warmth: a factor on the heat of all that is not an object.
    """

    rng: np.random.Generator
    height: int
    width: int
    horizon: float
    warmth: float

    @property
    def unit(self) -> float:
        """The size of a pixel of a picture of 96x128, in pixels of this one."""
        return min(self.height / 96, self.width / 128)

    def metre(self, foot: float) -> float:
        """How many pixels a metre has where the ground meets row ``foot``."""
        return min(max((foot - self.horizon) / _CAMERA_HEIGHT, self.unit), 20 * self.unit)

    def foot(self, near: float, far: float) -> float:
        """A random row of the ground; 0 is the horizon and 1 the lower edge."""
        return self.horizon + float(self.rng.uniform(near, far)) * (self.height - self.horizon)

    def distance(self, foot: Any) -> Any:
        """How far a place on the ground is, by its row: 1 at the lower edge of the picture."""
        near = (foot - self.horizon) / (self.height - self.horizon)
        return 1 / np.maximum(near, 1 / _HORIZON_DISTANCE)
