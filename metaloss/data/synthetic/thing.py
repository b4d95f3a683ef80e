"""Something that stands on the ground, and the shapes it is painted from."""

from __future__ import annotations

import numpy as np

from metaloss.data.synthetic.classes import OBJECTS, VISIBILITY
from metaloss.data.synthetic.fields import Array, as_colour, coverage, norm, unit_range
from metaloss.data.synthetic.stage import DISTANCE, GLOW, HEAT, RGB, Stage

Paint = tuple[float, float, float] | Array


class Thing:
    """Something that stands on the ground, painted on a window of the canvas; colours premultiplied.

    Args:
        stage: where it stands.
        x: the column of its middle, in pixels.
        foot: the row where it meets the ground, in pixels.
        reach: how far the window goes to either side, in metres.
        tall: how far the window goes up, in metres.
        kind: 0 for scenery, else the class id of an object.
    """

    def __init__(self, stage: Stage, x: float, foot: float, reach: float, tall: float, kind: int = 0) -> None:
        self.stage, self.middle, self.foot, self.kind = stage, x, foot, kind
        self.metre = metre = stage.metre(foot)
        left, right = (min(max(int(x + side * reach * metre), 0), stage.width) for side in (-1, 1))
        top, bottom = (min(max(int(foot - up * metre), 0), stage.height) for up in (tall, -0.4))
        self.window = (slice(None), slice(top, bottom), slice(left, right))
        # In metres from the foot, to the right and up.
        self.x = ((np.arange(left, right, dtype=np.float32) + 0.5 - x) / metre)[None, :]
        self.y = ((foot - np.arange(top, bottom, dtype=np.float32) - 0.5) / metre)[:, None]
        self.layers: Array = np.zeros((6, bottom - top, right - left), np.float32)
        self.alpha: Array = np.zeros(self.layers.shape[1:], np.float32)
        self.body: Array = np.zeros(self.layers.shape[1:], np.float32)

    def paint(
        self, shape: Array, colour: Paint, heat: float | Array, glow: float = 0.0, *, shadow: bool = False
    ) -> None:
        """Paints a shape, given as the distance to its edge in metres; a shadow is no part of the body."""
        cover = coverage(shape * self.metre) * np.float32(0.5 if shadow else 1)
        plain = isinstance(colour, tuple) and isinstance(heat, (int, float))
        values = np.empty((6, 1, 1) if plain else self.layers.shape, np.float32)
        values[RGB] = as_colour(*colour) if isinstance(colour, tuple) else colour
        values[HEAT], values[GLOW], values[DISTANCE] = heat, glow, self.stage.distance(self.foot)
        self.layers += cover * (values - self.layers)
        self.alpha += cover * (1 - self.alpha)
        self.body += cover * ((0 if shadow else 1) - self.body)

    def disc(self, x: float, y: float, radius: float) -> Array:
        """The distance to the edge of a disc, in metres; negative inside, as for all shapes."""
        return norm(self.x - x, self.y - y) - np.float32(radius)

    def box(self, x: float, y: float, half_width: float, half_height: float, corner: float = 0.0) -> Array:
        """The distance to the edge of a box with rounded corners, in metres."""
        across: Array = np.abs(self.x - x) - np.float32(half_width - corner)
        up: Array = np.abs(self.y - y) - np.float32(half_height - corner)
        inside: Array = np.minimum(np.maximum(across, up), 0) - np.float32(corner)
        return norm(np.maximum(across, 0), np.maximum(up, 0)) + inside

    def limb(self, start: tuple[float, float], end: tuple[float, float], radius: float) -> Array:
        """The distance to the edge of a thick line with round ends, in metres."""
        (x, y), (dx, dy) = start, (end[0] - start[0], end[1] - start[1])
        along = unit_range(((self.x - x) * dx + (self.y - y) * dy) / (dx**2 + dy**2))
        return norm(self.x - x - along * dx, self.y - y - along * dy) - np.float32(radius)

    def place(self, canvas: Array, backdrop: Array) -> None:
        """Lays the thing on the canvas; a source that does not show it gets the backdrop in its place."""
        layers = self.layers.copy()
        shows = VISIBILITY[OBJECTS[self.kind - 1]] if self.kind else "both"
        behind = backdrop[self.window] * self.alpha
        if shows == "ir":
            behind[HEAT] = layers[HEAT]
            layers = behind
        elif shows == "vi":
            layers[HEAT] = behind[HEAT]
        canvas[self.window] *= 1 - self.alpha
        canvas[self.window] += layers
