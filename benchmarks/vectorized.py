"""The metrics that the tests' references compute window by window, on whole arrays in NumPy and SciPy.

What somebody who cares for speed would write: the benchmark of the metrics times these. As the references, every
function takes one fused image and a list of two sources, float64 arrays (H, W) in 0-255, by the convention "vifb".
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft, ndimage
from scipy.signal import convolve

from metaloss.metrics import features

Array = np.ndarray
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_ROWS = 16


def _stretched(image: Array) -> Array:
    return np.floor((image - image.min()) / (image.max() - image.min()) * 255 + 0.5)


def te(fused: Array, sources: Sequence[Array], q: float = 1.85) -> float:
    """TE, its marginals exchanged."""
    images = [_stretched(image).astype(np.int64) for image in (fused, *sources)]
    total = 0.0
    for source in images[1:]:
        pairs = np.bincount((source * 256 + images[0]).ravel(), minlength=256**2).reshape(256, 256) / fused.size
        rows, columns = pairs.sum(0)[:, None], pairs.sum(1)[None]
        there = (pairs > 0) & (rows * columns > 0)
        order = np.sum(pairs[there] ** q / np.broadcast_to(rows * columns, pairs.shape)[there] ** (q - 1))
        total += (1 - order) / (1 - q)
    return float(total)


def _entropy(probabilities: Array, base: float = np.e) -> float:
    some = probabilities[probabilities > 0]
    return float(-np.sum(some * np.log(some)) / np.log(base))


def _shared(first: Array, second: Array, base: float = np.e) -> tuple[float, float]:
    """The entropies of two images added up, and what their histograms share."""
    alone = sum(_entropy(np.bincount(image.ravel(), minlength=256) / image.size, base) for image in (first, second))
    together = np.bincount((first * 256 + second).ravel()) / first.size
    return alone, alone - _entropy(together, base)


def nmi(fused: Array, sources: Sequence[Array]) -> float:
    """NMI."""
    first, *others = (_stretched(image).astype(np.int64) for image in (fused, *sources))
    return sum(2 * shared / alone for alone, shared in (_shared(first, other) for other in others))


def qncie(fused: Array, sources: Sequence[Array]) -> float:
    """QNCIE."""
    images = [_stretched(image).astype(np.int64) for image in (fused, *sources)]
    matrix = np.eye(len(images))
    for i, j in itertools.combinations(range(len(images)), 2):
        matrix[i, j] = matrix[j, i] = _shared(images[i], images[j], 256)[1]
    return 1 - _entropy(np.linalg.eigvalsh(matrix) / len(images), 256)


def qcb(fused: Array, sources: Sequence[Array]) -> float:
    """Qcb."""
    places = np.arange(-15, 16)
    windows = [np.exp(-(places**2) / (2 * sigma**2)) / (np.sqrt(2 * np.pi) * sigma) for sigma in (2, 4)]
    height, width = fused.shape
    radius = np.hypot(np.fft.fftfreq(height, 1 / height)[:, None], np.fft.rfftfreq(width, 1 / width)) / 15
    sensitivity = np.exp(-((radius / 15.3870) ** 2)) - 0.7622 * np.exp(-((radius / 1.3456) ** 2))
    masked = []
    for image in (fused, *sources):
        seen = np.fft.irfft2(np.fft.rfft2(_stretched(image)) * sensitivity, s=fused.shape)
        fine, coarse = (
            ndimage.correlate1d(ndimage.correlate1d(seen, window, axis=0, mode="constant"), window, 1, mode="constant")
            for window in windows
        )
        contrast = np.abs(fine / coarse - 1)
        masked.append(contrast**3 / (contrast**2 + 0.0001))
    total = sum(contrast**2 for contrast in masked[1:])
    parts = [other**2 * np.minimum(other, masked[0]) / np.maximum(other, masked[0]) for other in masked[1:]]
    return float(np.mean(sum(parts) / total))


def nabf(fused: Array, sources: Sequence[Array]) -> float:
    """Nabf."""

    def edges(image: Array) -> tuple[Array, Array]:
        v, h = (ndimage.sobel(image, axis=axis, mode="mirror") / 8 for axis in (1, 0))
        with np.errstate(divide="ignore", invalid="ignore"):
            angle = np.where(h == 0, np.pi / 2 * np.sign(v), np.arctan(v / h))
        return np.hypot(v, h), angle

    (strength_f, angle_f), of_sources = edges(fused), [edges(source) for source in sources]
    new = np.all([strength_f > strength for strength, _ in of_sources], axis=0)
    artefacts = weights = 0.0
    for strength, angle in of_sources:
        larger = np.maximum(strength, strength_f)
        ratio = np.divide(np.minimum(strength, strength_f), larger, out=np.zeros_like(larger), where=larger > 0)
        aligned = np.abs(np.abs(angle - angle_f) - np.pi / 2) * 2 / np.pi
        kept = np.sqrt(0.9999 / (1 + np.exp(-19 * (ratio - 0.5))) * 0.9995 / (1 + np.exp(-22 * (aligned - 0.5))))
        weight = np.where(strength >= 2, strength**1.5, 0.001)
        artefacts += np.sum(new * (1 - kept) * weight)
        weights += np.sum(weight)
    return float(artefacts / weights)


def _means(image: Array, window: Array) -> Array:
    """Weighted means of windows that fit, by rows and columns."""
    filtered = ndimage.correlate1d(ndimage.correlate1d(image, window, axis=0), window, axis=1)
    margin = len(window) // 2
    height, width = (side - len(window) + 1 for side in image.shape)
    return filtered[margin : margin + height, margin : margin + width]


def _gaussian(size: int, sigma: float = 1.5) -> Array:
    window = np.exp(-((np.arange(size) - (size - 1) / 2) ** 2) / (2 * sigma**2))
    return window / window.sum()


def _index(first: Array, second: Array, window: Array, c1: float, c2: float) -> tuple[Array, Array, Array]:
    """The quality index of two images, their covariance, and the second's variance."""
    mean1, mean2 = _means(first, window), _means(second, window)
    var1, var2 = (_means(image**2, window) - mean**2 for image, mean in ((first, mean1), (second, mean2)))
    covariance = _means(first * second, window) - mean1 * mean2
    luminance = (2 * mean1 * mean2 + c1) / (mean1**2 + mean2**2 + c1)
    return luminance * (2 * covariance + c2) / (var1 + var2 + c2), covariance, var2


def _prewitt(image: Array) -> Array:
    return np.hypot(*(ndimage.prewitt(image, axis=axis, mode="constant") for axis in (0, 1)))


def _piella(fused: Array, sources: Sequence[Array]) -> tuple[Array, Array]:
    found = [_index(fused, source, _gaussian(11), _C1, _C2) for source in sources]
    variances = np.stack([variance for _, _, variance in found])
    total = variances.sum(0)
    shares = np.divide(variances, total, out=np.full_like(variances, 1 / len(variances)), where=total > 0)
    return np.sum(shares * np.stack([index for index, _, _ in found]), axis=0), variances.max(0)


def qs(fused: Array, sources: Sequence[Array]) -> float:
    """Qs, by SSIM."""
    return float(_piella(fused, sources)[0].mean())


def _weighted(fused: Array, sources: Sequence[Array]) -> float:
    quality, weights = _piella(fused, sources)
    return float(np.sum(weights * quality) / weights.sum())


def qw(fused: Array, sources: Sequence[Array]) -> float:
    """Qw of the edges, by SSIM."""
    return _weighted(_prewitt(fused), [_prewitt(source) for source in sources])


def qe(fused: Array, sources: Sequence[Array]) -> float:
    """Qe, by SSIM."""
    return _weighted(fused, sources) * qw(fused, sources)


def _universal(fused: Array, sources: Sequence[Array]) -> list[tuple[Array, Array, Array]]:
    return [_index(fused, source, _gaussian(7), 0.0, 0.0) for source in sources]


def qy(fused: Array, sources: Sequence[Array]) -> float:
    """Qy."""
    (first, _, var1), (second, _, var2) = _universal(fused, sources)
    alike, _, _ = _index(*sources, _gaussian(7), 0.0, 0.0)
    both = (var1 * first + var2 * second) / (var1 + var2)
    return float(np.where(alike >= 0.75, both, np.maximum(first, second)).mean())


def qc(fused: Array, sources: Sequence[Array]) -> float:
    """Qc."""
    (first, cov1, _), (second, cov2, _) = _universal(fused, sources)
    share = np.clip(cov1 / (cov1 + cov2), 0, 1)
    return float((share * first + (1 - share) * second).mean())


def mef_ssim(fused: Array, sources: Sequence[Array]) -> float:
    """MEF-SSIM, of its three scales."""
    exponents = np.array([0.0448, 0.2856, 0.3001])
    images, product = [fused, *sources], 1.0
    for exponent in exponents / exponents.sum():
        product *= _mef_scale(images[0], images[1:]) ** exponent
        images = [ndimage.uniform_filter(image, 2, origin=-1)[::2, ::2] for image in images]
    return float(product)


def _mef_scale(fused: Array, sources: Sequence[Array], side: int = 11) -> float:
    flat, round_ = np.full(side, 1 / side), _gaussian(side)

    def covariances(images: Sequence[Array], window: Array) -> list[list[Array]]:
        means = [_means(image, window) for image in images]
        return [
            [_means(one * other, window) - mean * its for other, its in zip(images, means, strict=True)]
            for one, mean in zip(images, means, strict=True)
        ]

    even = covariances(sources, flat)
    norms = [np.sqrt(np.maximum(even[k][k], 0) * side**2) for k in range(len(sources))]
    strengths = [norm + 0.001 for norm in norms]
    together = np.sqrt(np.maximum(sum(map(sum, even)), 0) * side**2)
    power = np.minimum(np.tan(np.pi / 2 * np.minimum(together / sum(norms), 1)), 10)
    weights = [(strength / side) ** power for strength in strengths]
    factors = [weight / sum(weights) / strength for weight, strength in zip(weights, strengths, strict=True)]
    pairs = [(k, m) for k in range(len(sources)) for m in range(len(sources))]
    length = np.sqrt(sum(factors[k] * factors[m] * even[k][m] for k, m in pairs) * side**2)
    factors = [factor / length * np.maximum.reduce(strengths) for factor in factors]
    seen = covariances([fused, *sources], round_)
    covariance = sum(factor * seen[0][k + 1] for k, factor in enumerate(factors))
    wanted = sum(factors[k] * factors[m] * seen[k + 1][m + 1] for k, m in pairs)
    return float(((2 * covariance + _C2) / (wanted + seen[0][0] + _C2)).mean())


def _fmi(fused: Array, sources: Sequence[Array], feature: Callable[[Array], Array]) -> float:
    seen = [sliding_window_view(feature(image), (3, 3)) for image in (fused, *sources)]
    windows = [part.transpose(0, 1, 3, 2).reshape(len(part), -1, 9) for part in seen]
    total = 0.0
    for first in range(0, len(windows[0]), _ROWS):
        rows = [part[first : first + _ROWS].reshape(-1, 9) for part in windows]
        total += sum(float(_information(rows[0], other).sum()) for other in rows[1:])
    return total / (len(sources) * windows[0].shape[0] * windows[0].shape[1])


def _information(first: Array, second: Array) -> Array:
    """Haghighat's model for many pairs of windows, each of shape (P, 9)."""
    p, q = _distribution(first), _distribution(second)
    centred = p - p.mean(1, keepdims=True), q - q.mean(1, keepdims=True)
    energy = np.sqrt((centred[0] ** 2).sum(1) * (centred[1] ** 2).sum(1))
    correlation = np.divide((centred[0] * centred[1]).sum(1), energy, out=np.zeros_like(energy), where=energy > 0)
    places = np.arange(1, 10)
    spread = np.prod([np.sqrt((places**2 * r).sum(1) - (places * r).sum(1) ** 2) for r in (p, q)], axis=0)
    u, v = (np.concatenate([np.zeros((len(r), 1)), r.cumsum(1)], axis=1) for r in (p, q))
    low = np.maximum(u[:, :, None] + v[:, None] - 1, 0)
    bound = np.where((correlation < 0)[:, None, None], low, np.minimum(u[:, :, None], v[:, None]))
    covariance = (bound - u[:, :, None] * v[:, None]).sum((1, 2))
    weight = np.divide(
        correlation * spread, covariance, out=np.zeros_like(spread), where=(spread > 0) & (covariance != 0)
    )
    weight = weight[:, None, None]
    joint = weight * np.diff(np.diff(bound, axis=1), axis=2) + (1 - weight) * p[:, :, None] * q[:, None]
    alone = -sum((r * np.log(np.where(r > 0, r, 1))).sum(1) for r in (p, q))
    shared = alone + (joint * np.log(np.where(joint != 0, np.abs(joint), 1))).sum((1, 2))
    value = np.divide(2 * shared, alone, out=np.zeros_like(alone), where=alone > 0)
    return np.where((first == second).all(1), 1.0, value)


def _distribution(windows: Array) -> Array:
    low, span = windows.min(1, keepdims=True), np.ptp(windows, axis=1, keepdims=True)
    values = np.divide(windows - low, span, out=np.ones_like(windows), where=span > 0)
    return values / values.sum(1, keepdims=True)


def _edges(image: Array) -> Array:
    """MATLAB's thinned Sobel edges."""
    x, y = (np.abs(ndimage.sobel(image, axis=axis, mode="nearest")) for axis in (1, 0))
    strength = x**2 + y**2
    padded = np.pad(strength, 1, mode="edge")
    left, right, above, below = padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1]
    across = (x >= y) & (left <= strength) & (strength > right)
    down = (y >= x) & (above <= strength) & (strength > below)
    return ((strength > 4 * strength.mean()) & (across | down)).astype(float)


def fmi_pixel(fused: Array, sources: Sequence[Array]) -> float:
    """FMI_pixel, of binary edges."""
    return _fmi(fused, sources, _edges)


def fmi_gradient(fused: Array, sources: Sequence[Array]) -> float:
    """FMI_gradient."""
    return _fmi(fused, sources, lambda image: np.gradient(image, axis=1))


def fmi_dct(fused: Array, sources: Sequence[Array]) -> float:
    """FMI_dct."""
    return _fmi(fused, sources, lambda image: fft.dctn(image, norm="ortho"))


def fmi_w(fused: Array, sources: Sequence[Array]) -> float:
    """FMI_w, of the discrete Meyer wavelet."""
    low = np.array(features._LOW_PASS)
    high = low[::-1] * (-1.0) ** (np.arange(len(low)) + 1)

    def bands(image: Array) -> Array:
        padded = np.pad(image, len(low) - 1, mode="symmetric")
        halves = [_every_second(padded, taps, axis=1) for taps in (low, high)]
        return np.block([[_every_second(half, taps, axis=0) for taps in (low, high)] for half in halves])

    return _fmi(fused, sources, bands)


def _every_second(image: Array, taps: Array, axis: int) -> Array:
    shape = (-1, 1) if axis == 0 else (1, -1)
    filtered = convolve(image, taps.reshape(shape), mode="valid", method="direct")
    return filtered[1::2] if axis == 0 else filtered[:, 1::2]


VECTORIZED = {
    "TE": te,
    "Nabf": nabf,
    "Qs": qs,
    "Qw": qw,
    "Qe": qe,
    "Qy": qy,
    "Qc": qc,
    "MEF-SSIM": mef_ssim,
    "FMI_pixel": fmi_pixel,
    "FMI_gradient": fmi_gradient,
    "FMI_dct": fmi_dct,
    "FMI_w": fmi_w,
    "NMI": nmi,
    "QNCIE": qncie,
    "Qcb": qcb,
}
