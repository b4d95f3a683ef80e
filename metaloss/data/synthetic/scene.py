"""Draws one scene with its ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from metaloss.data.synthetic.classes import CONDITIONS, OBJECTS, VISIBILITY
from metaloss.data.synthetic.ground import make_ground
from metaloss.data.synthetic.objects import place_objects
from metaloss.data.synthetic.scenery import make_house, make_lamp, make_tree
from metaloss.data.synthetic.sensors import infrared_image, visible_image
from metaloss.data.synthetic.stage import HEAT, Stage
from metaloss.data.synthetic.thing import Thing


@dataclass(frozen=True)
class SyntheticScene:
    """One scene with everything that is known about it.

    Attributes:
        ir: the infrared image (1, H, W), float32 in [0, 1].
        vi_rgb: the visible image (3, H, W), float32 in [0, 1].
        mask: class ids (H, W), int64: 0 background, 1 person, 2 sign, 3 car; nearer things cover farther ones.
        boxes: of the objects of which a quarter or more is to be seen, (N, 4) float32 xyxy in pixels,
            tight around the part to be seen.
        labels: of the boxes, (N,) int64: 0 person, 1 sign, 2 car.
        visible_in: of the boxes, each ``"ir"``, ``"vi"`` or ``"both"``.
        condition: ``"day"``, ``"night"`` or ``"haze"``.
    """

    ir: Tensor
    vi_rgb: Tensor
    mask: Tensor
    boxes: Tensor
    labels: Tensor
    visible_in: tuple[str, ...]
    condition: str


@lru_cache(maxsize=128)
def draw_scene(seed: int, index: int, height: int, width: int) -> SyntheticScene:
    """Draws a scene, or hands out the same tensors again: nothing downstream writes into them.

    Args:
        seed: 0 or greater.
        index: the scene's number, 0 or greater.
        height: in pixels, at least 32.
        width: in pixels, at least 32.

    Returns:
        The scene, which depends on nothing but the arguments.
    """
    rng = np.random.default_rng([seed, index])
    condition = CONDITIONS[rng.choice(len(CONDITIONS), p=(0.4, 0.35, 0.25))]
    warmth = {"day": 1.0, "night": 0.72, "haze": 0.85}[condition]
    stage = Stage(rng, height, width, height * float(rng.uniform(0.34, 0.44)), warmth)
    canvas = make_ground(stage)
    lamps = [make_lamp(stage, side) for side in (-1, 1) for _ in range(rng.integers(1, 3))]
    houses = [make_house(stage) for _ in range(rng.integers(2, 7))]
    trees = [make_tree(stage) for _ in range(rng.integers(2, 6))]
    scenery = sorted([*houses, *trees, *lamps], key=lambda thing: thing.foot)
    backdrop = canvas.copy()
    for thing in scenery:
        thing.place(backdrop, backdrop)
    objects = place_objects(stage)
    # Which object each pixel shows; -1: none.
    owner = np.full((height, width), -1)
    for thing in sorted([*scenery, *objects], key=lambda thing: thing.foot):
        thing.place(canvas, backdrop)
        number = objects.index(thing) if thing.kind else -1
        here = owner[thing.window[1:]]
        here[thing.alpha > 0.5] = -1
        here[thing.body > 0.5] = number
    kinds = np.array([*(thing.kind for thing in objects), 0])
    boxes, labels = _boxes(objects, owner)
    return SyntheticScene(
        ir=torch.from_numpy(infrared_image(stage, canvas[HEAT])),
        vi_rgb=torch.from_numpy(visible_image(stage, canvas, condition, lamps)),
        mask=torch.from_numpy(kinds[owner].astype(np.int64)),
        boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor(labels, dtype=torch.int64),
        visible_in=tuple(VISIBILITY[OBJECTS[label]] for label in labels),
        condition=condition,
    )


def _boxes(objects: Sequence[Thing], owner: NDArray[np.int64]) -> tuple[list[list[int]], list[int]]:
    boxes, labels = [], []
    for number, thing in enumerate(objects):
        rows, columns = np.nonzero(owner == number)
        if len(rows) >= max(4, 0.25 * (thing.body > 0.5).sum()):
            boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            labels.append(thing.kind - 1)
    return boxes, labels
