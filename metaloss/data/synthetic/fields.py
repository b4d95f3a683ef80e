"""Arithmetic on images: noise, blur, coverage."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
# Weights below this change no picture, and products of them are subnormal numbers, which processors multiply slowly.
_NEGLIGIBLE = 1e-20


def norm(x: Array, y: Array) -> Array:
    """The length of the vectors (x, y)."""
    length: Array = np.sqrt(x * x + y * y)
    return length


def unit_range(values: Array) -> Array:
    """The values, limited to [0, 1]."""
    limited: Array = np.minimum(np.maximum(values, 0), 1)
    return limited


def coverage(distance: Array) -> Array:
    """How much of each pixel lies inside a shape, from the distance to its edge in pixels."""
    return unit_range(np.float32(0.5) - distance)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], cell: float, across: float | None = None) -> Array:
    """Smooth noise (H, W) of zero mean and unit variance, with blobs of ``cell`` pixels."""
    rows, columns = _knots(shape[0], cell), _knots(shape[1], across or cell)
    grid = rng.standard_normal((rows.shape[1], columns.shape[1]), dtype=np.float32)
    noise: Array = rows @ grid @ columns.T
    return noise


@lru_cache(maxsize=64)
def _knots(length: int, cell: float) -> Array:
    knots = np.arange(-1, length / cell + 2, dtype=np.float32)
    weights = np.exp(-2 * ((np.arange(length, dtype=np.float32)[:, None] + 0.5) / cell - knots) ** 2)
    return _without_negligible(weights / np.sqrt((weights**2).sum(1, keepdims=True)))


def blur(image: Array, sigma: float) -> Array:
    """Blurs (C, H, W) by a Gaussian of ``sigma`` pixels."""
    rows, columns = _kernel(image.shape[1], sigma), _kernel(image.shape[2], sigma)
    return np.stack([rows @ channel @ columns.T for channel in image])


@lru_cache(maxsize=16)
def _kernel(length: int, sigma: float) -> Array:
    place = np.arange(length, dtype=np.float32)
    weights = np.exp(-((place[:, None] - place) ** 2) / (2 * sigma**2))
    return _without_negligible(weights / weights.sum(1, keepdims=True))


def _without_negligible(weights: Array) -> Array:
    return np.where(weights < _NEGLIGIBLE, np.float32(0), weights)


def as_colour(red: float, green: float, blue: float) -> Array:
    """A colour as an array (3, 1, 1), float32."""
    return np.array((red, green, blue), np.float32)[:, None, None]
