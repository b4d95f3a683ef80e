"""The unlabelled things: houses, trees and street lamps."""

from __future__ import annotations

import numpy as np

from metaloss.data.synthetic.fields import Array, as_colour, smooth_noise, unit_range
from metaloss.data.synthetic.stage import Stage
from metaloss.data.synthetic.thing import Thing


def make_house(stage: Stage) -> Thing:
    """A house on the horizon; a third of its windows is lit."""
    rng = stage.rng
    half, storeys = 2 * int(rng.integers(2, 7)), int(rng.integers(2, 6))
    tall = 5 * storeys
    house = Thing(stage, rng.uniform(0, 1) * stage.width, stage.horizon + stage.unit, half + 2, tall + half)
    walls = ((0.66, 0.58, 0.5), (0.6, 0.42, 0.36), (0.56, 0.58, 0.6), (0.72, 0.68, 0.58))
    house.paint(house.box(0, tall / 2, half, tall / 2), walls[rng.integers(4)], 0.43 * stage.warmth)
    if storeys < 4:
        roof = np.maximum(np.abs(house.x) - half - 1.5 + (house.y - tall) * 1.3, tall - house.y)
        house.paint(roof, (0.45, 0.25, 0.2), 0.35 * stage.warmth)
    rows, columns = (house.y // 5).astype(int), (house.x // 4).astype(int)
    panes = np.maximum(np.abs(house.x % 4 - 2) - 1.2, np.abs(house.y % 5 - 2.6) - 1.5)
    panes = np.where((rows >= 0) & (rows < storeys) & (np.abs(columns + 0.5) < half / 4), panes, np.float32(9))
    lit = rng.random((storeys, half)) < 0.3
    lights = lit[np.clip(rows, 0, storeys - 1), columns % half]
    house.paint(panes, (0.2, 0.25, 0.32), 0.5 * stage.warmth)
    house.paint(np.where(lights, panes, np.float32(9)), (0.34, 0.32, 0.27), 0.52 * stage.warmth, 1.6)
    return house


def make_tree(stage: Stage) -> Thing:
    """A tree to the left or right of the middle."""
    rng = stage.rng
    x = float(rng.uniform(0, 0.6))
    tree = Thing(stage, (x if x < 0.3 else x + 0.4) * stage.width, stage.foot(0.12, 0.4), 2.5, 6.4)
    tree.paint(tree.limb((0, 0), (0, 3), 0.2), (0.3, 0.22, 0.16), 0.36 * stage.warmth)
    blobs = rng.uniform((-0.9, 3, 0.9), (0.9, 4.6, 1.4), (5, 3)).tolist()
    crown: Array = np.minimum.reduce([tree.disc(*blob) for blob in blobs])
    leaves = smooth_noise(rng, crown.shape, 2.2 * stage.unit)
    green = as_colour(rng.uniform(0.18, 0.34), rng.uniform(0.36, 0.46), 0.14)
    light = 1 + 0.22 * leaves + 0.3 * unit_range(-crown) + 0.06 * (tree.y - 3.8)
    tree.paint(crown + 0.14 * leaves, light * green, (0.31 + 0.02 * leaves) * stage.warmth)
    return tree


def make_lamp(stage: Stage, side: int) -> Thing:
    """A street lamp to the left (-1) or right (1) of the middle, its arm towards the road."""
    x = (0.5 + side * float(stage.rng.uniform(0.16, 0.46))) * stage.width
    lamp = Thing(stage, x, stage.foot(0.12, 0.45), 1.3, 5.6)
    post, heat = (0.33, 0.34, 0.36), 0.4 * stage.warmth
    lamp.paint(lamp.limb((0, 0), (0, 5), 0.08), post, heat)
    lamp.paint(lamp.limb((0, 5), (-0.8 * side, 5.2), 0.08), post, heat)
    lamp.paint(lamp.box(-0.8 * side, 5.12, 0.32, 0.13, 0.1), (1.0, 0.93, 0.72), heat + 0.08, 1.4)
    return lamp
