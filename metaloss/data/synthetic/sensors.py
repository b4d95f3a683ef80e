"""What the two cameras make of a scene."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metaloss.data.synthetic.fields import Array, as_colour, blur, norm, smooth_noise, unit_range
from metaloss.data.synthetic.stage import DISTANCE, GLOW, RGB, Stage
from metaloss.data.synthetic.thing import Thing


def visible_image(stage: Stage, canvas: Array, condition: str, lamps: Sequence[Thing]) -> Array:
    """What the camera for visible light makes of the canvas: (3, H, W) in [0, 1]."""
    rng, rgb, noise = stage.rng, canvas[RGB], np.float32(0.018)
    if condition == "haze":
        clear = np.exp(-0.22 * canvas[DISTANCE])
        rgb = rgb * clear + (1 - clear) * as_colour(0.76, 0.78, 0.8)
    if condition == "night":
        noise = np.float32(0.03)
        y = np.arange(stage.height, dtype=np.float32)[:, None]
        x = np.arange(stage.width, dtype=np.float32)[None, :]
        light = np.zeros((3, *canvas.shape[1:]), np.float32) + as_colour(0.15, 0.18, 0.26)
        for lamp in lamps:
            pool = norm((x - lamp.middle) / (4.5 * lamp.metre), (y - lamp.foot) / (1.6 * lamp.metre))
            # The limit keeps subnormal numbers out, which are slow; exp(-40) is lost beside the light of the night.
            light += np.exp(-np.minimum(pool**2, 40)) * as_colour(0.55, 0.46, 0.3)
        own = rgb * canvas[GLOW]
        rgb = rgb * light + own + blur(own, 2 * stage.unit) + 0.9 * blur(own, 6 * stage.unit)
    grain = rng.standard_normal(rgb.shape, dtype=np.float32)
    return unit_range(rgb + noise * grain)


def infrared_image(stage: Stage, heat: Array) -> Array:
    """What a thermal camera makes of the heat: soft, with drift, stripes and noise; (1, H, W) in [0, 1]."""
    rng = stage.rng
    drift = 0.02 * smooth_noise(rng, (stage.height, stage.width), 50 * stage.unit)
    stripes = 0.005 * rng.standard_normal((1, stage.width), dtype=np.float32)
    noise = 0.012 * rng.standard_normal(heat.shape, dtype=np.float32)
    return unit_range(blur(heat, 0.6 * stage.unit) + drift + stripes + noise)
