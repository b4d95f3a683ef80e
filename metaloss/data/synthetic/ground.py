"""Sky, hills, meadow and road."""

from __future__ import annotations

import numpy as np

from metaloss.data.synthetic.fields import Array, as_colour, coverage, smooth_noise, unit_range
from metaloss.data.synthetic.stage import DISTANCE, HEAT, RGB, Stage


def make_ground(stage: Stage) -> Array:
    """Sky, hills, meadow and road: what is there before anything stands on it."""
    rng, horizon, unit = stage.rng, stage.horizon, stage.unit
    shape = (stage.height, stage.width)
    y = (np.arange(stage.height, dtype=np.float32) + 0.5)[:, None]
    x = (np.arange(stage.width, dtype=np.float32) + 0.5)[None, :]
    canvas = np.zeros((6, *shape), np.float32)
    canvas[DISTANCE] = stage.distance(y)

    def lay(cover: Array, colour: Array, heat: float | Array) -> None:
        canvas[RGB] += cover * (colour - canvas[RGB])
        canvas[HEAT] += cover * (heat * stage.warmth - canvas[HEAT])

    high = unit_range(1 - y / horizon)
    clouds = 0.28 * unit_range(0.5 * smooth_noise(rng, shape, 6 * unit, 20 * unit))
    sky = as_colour(0.78, 0.85, 0.91) - high * as_colour(0.44, 0.3, 0.06)
    lay(np.ones(shape, np.float32), sky + clouds * (1 - sky), 0.2 - 0.12 * high + 0.25 * clouds)
    hills = horizon - unit * (5 + 2.5 * smooth_noise(rng, (1, stage.width), 1, 16 * unit)) - y
    lay(coverage(hills), as_colour(0.38, 0.48, 0.47) + 0.015 * smooth_noise(rng, shape, 3 * unit)[None], 0.27)
    near = unit_range((y - horizon) / (stage.height - horizon))
    grass = 0.08 * smooth_noise(rng, shape, 14 * unit) + 0.07 * smooth_noise(rng, shape, 4 * unit)
    grass += (0.04 + 0.09 * near) * smooth_noise(rng, shape, 1.5 * unit)
    tone = as_colour(0.33, 0.41, 0.19) + np.float32(rng.random()) * as_colour(0.2, 0.06, 0.07)
    lay(coverage(horizon - y), tone * (1 + grass), 0.4 + 0.2 * grass)
    reach = stage.width * (0.012 + 0.3 * near)
    middle = stage.width * (np.float32(rng.uniform(0.42, 0.58)) + (near - 0.3) * np.float32(rng.uniform(-0.2, 0.2)))
    side = np.abs(x - middle)
    asphalt = 0.36 + 0.025 * smooth_noise(rng, shape, 1.2 * unit) + 0.025 * smooth_noise(rng, shape, 10 * unit)
    on_road = coverage(np.maximum(side - reach, horizon + unit - y))
    lay(on_road, asphalt * as_colour(1, 1, 1.05), 0.33 + 0.4 * asphalt)
    dashed = np.sin(3.2 / (near + 0.06) + rng.uniform(0, 6)) > 0
    lines = np.maximum(coverage(side - 0.025 * reach) * dashed, coverage(np.abs(side - 0.92 * reach) - 0.02 * reach))
    canvas[RGB] += 0.7 * lines * (y > horizon + unit) * (0.8 - canvas[RGB])
    return canvas
