"""A scene as other cameras would have taken it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from metaloss.data.synthetic.fields import Array, blur, unit_range
from metaloss.data.synthetic.scene import SyntheticScene, draw_scene

_BLACK_HOT = 0.25  # of the infrared images: cameras show what is hot white or black
_BLURRED = 0.35  # of the images
_SOFTEST, _GRAINIEST = 1.5, 0.05  # standard deviations: of a blur in pixels, of noise


@lru_cache(maxsize=128)
def draw_varied(seed: int, index: int, height: int, width: int) -> SyntheticScene:
    """Draws the scene of these numbers, and takes it with cameras of its own.

    Each image has an exposure, a black and a white point, and a gamma of its own, and noise; a third of them are out
    of focus, and a quarter of the infrared ones black where it is hot.

    Args:
        seed: 0 or greater.
        index: the scene's number, 0 or greater.
        height: in pixels, at least 32.
        width: in pixels, at least 32.

    Returns:
        The scene, which depends on nothing but the arguments; its ground truth is that of ``draw_scene``.
    """
    scene, rng = draw_scene(seed, index, height, width), np.random.default_rng([seed, index, 1])
    heat = 1 - scene.ir if rng.random() < _BLACK_HOT else scene.ir
    return replace(scene, ir=_taken(heat, rng), vi_rgb=_taken(scene.vi_rgb, rng))


def _taken(image: Tensor, rng: np.random.Generator) -> Tensor:
    """What one camera makes of an image (C, H, W) in [0, 1]."""
    gain, offset = np.float32(2 ** rng.uniform(-0.8, 0.6)), np.float32(rng.uniform(-0.25, 0.1))
    values: Array = unit_range(image.numpy() * gain + offset) ** np.float32(2 ** rng.uniform(-0.7, 0.7))
    # half of the images reach black, and a third of them white
    black, white = max(0.0, rng.uniform(-0.25, 0.25)), min(1.0, rng.uniform(0.7, 1.15))
    values = np.float32(black) + np.float32(white - black) * values
    if rng.random() < _BLURRED:
        values = blur(values, float(rng.uniform(0.4, _SOFTEST)))
    noise = np.float32(rng.uniform(0, _GRAINIEST)) * rng.standard_normal(values.shape, dtype=np.float32)
    return torch.from_numpy(unit_range(values + noise))
