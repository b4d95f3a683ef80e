"""How published values come about that our metrics do not give: in NumPy and SciPy, to show that this is all.

Images are float64 arrays (H, W) of whole grey levels, 0-255.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

Array = np.ndarray


@dataclass(frozen=True)
class Deviation:
    """Why a published metric is another one.

    Attributes:
        why: for the page.
        measure: the published metric, ``(fused, sources)``.
    """

    why: str
    measure: Callable[[Array, Sequence[Array]], float]


def qabf_as_published(fused: Array, sources: Sequence[Array], divisor: float = 1.0) -> float:
    """Qabf as the field's MATLAB code has it, on images divided by ``divisor``.

    Where two edges are equally strong, it takes that strength for their ratio instead of 1. Filters are summed column
    by column: where the divisor makes fractions, the derivative of an upright edge is no 0 but noise, of some sign.
    """

    def edges(image: Array) -> tuple[Array, Array]:
        padded, (height, width) = np.pad(image / divisor, 1), image.shape
        across, down = np.zeros_like(image), np.zeros_like(image)
        for column in range(3):
            for row in range(3):
                part = padded[2 - row : 2 - row + height, 2 - column : 2 - column + width]
                across = across + (column - 1) * (2 - abs(row - 1)) * part
                down = down + (1 - row) * (2 - abs(column - 1)) * part
        angle = np.full_like(across, np.pi / 2)
        angle[across != 0] = np.arctan(down[across != 0] / across[across != 0])
        return np.sqrt(across**2 + down**2), angle

    strength, angle = edges(fused)
    total = weights = 0.0
    for source in sources:
        other, its_angle = edges(source)
        smaller, larger = np.minimum(strength, other), np.maximum(strength, other)
        ratio = np.where(strength == other, strength, smaller / np.where(larger > 0, larger, 1))
        turn = 1 - np.abs(its_angle - angle) / (np.pi / 2)
        kept = 0.9994 / (1 + np.exp(-15 * (ratio - 0.5))) * 0.9879 / (1 + np.exp(-22 * (turn - 0.8)))
        total += float(np.sum(kept * other))
        weights += float(np.sum(other))
    return total / weights


def vif_of_bytes(fused: Array, sources: Sequence[Array]) -> float:
    """VIFp, summed over the sources, of images in uint8: at the finest scale their products end at 255."""
    return sum(_vifp(source, fused) for source in sources)


def _vifp(reference: Array, distorted: Array, noise: float = 2.0, tiny: float = 1e-10) -> float:
    kept = there = 0.0
    for scale in range(4):
        size = 2 ** (4 - scale) + 1
        places = np.arange(size) - (size - 1) / 2
        window = np.exp(-(places**2) / (2 * (size / 5) ** 2))
        window /= window.sum()

        def means(image: Array, window: Array = window, margin: int = size // 2) -> Array:
            filtered = ndimage.correlate1d(ndimage.correlate1d(image, window, axis=0), window, axis=1)
            return filtered[margin:-margin, margin:-margin]

        if scale > 0:
            reference, distorted = means(reference)[::2, ::2], means(distorted)[::2, ::2]
        top = 255.0 if scale == 0 else np.inf
        mean1, mean2 = means(reference), means(distorted)
        var1 = np.maximum(means(np.minimum(reference**2, top)) - mean1**2, 0)
        var2 = np.maximum(means(np.minimum(distorted**2, top)) - mean2**2, 0)
        covariance = means(np.minimum(reference * distorted, top)) - mean1 * mean2
        gain = covariance / (var1 + tiny)
        rest = var2 - gain * covariance
        gain[var1 < tiny], rest[var1 < tiny], var1[var1 < tiny] = 0, var2[var1 < tiny], 0
        gain[var2 < tiny], rest[var2 < tiny] = 0, 0
        rest[gain < 0], gain[gain < 0] = var2[gain < 0], 0
        rest[rest <= tiny] = tiny
        kept += float(np.sum(np.log10(1 + gain**2 * var1 / (rest + noise))))
        there += float(np.sum(np.log10(1 + var1 / noise)))
    return kept / there


DEVIATIONS = {
    ("vifb", "Qabf"): Deviation(
        "Where an edge is as strong in the fused image as in a source, VIFB's code takes that strength, in grey "
        "levels, for their ratio, which ought to be 1. It shows in methods that copy pixels.",
        qabf_as_published,
    ),
    ("metric_reference_tno", "Qabf"): Deviation(
        "The same; and the table's images are in [0, 1], where a horizontal derivative that should be 0 is what "
        "rounding leaves of it, whose sign turns the edge's angle by half a turn.",
        lambda fused, sources: qabf_as_published(fused, sources, 255),
    ),
    ("metric_reference_tno", "VIF"): Deviation(
        "The table's images are in uint8 here, whose products end at 255: the variances of the finest scale vanish "
        "for all but the darkest pixels, and three scales are left.",
        vif_of_bytes,
    ),
}
"""By folder and metric, for those that differ from the table."""
