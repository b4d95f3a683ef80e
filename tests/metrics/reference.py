"""The metrics once more, image by image in numpy, scipy and scikit-image, as the field's evaluators write them.

Independent of the package: the tests compare with them, the benchmark times them. Every function
takes one fused image and a list of sources, float64 arrays (H, W) in 0-255, and gives a number by
the convention "tdfusion" unless an argument says otherwise.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.signal import convolve2d
from skimage.metrics import structural_similarity


def en(fused, sources):
    counts = np.bincount(np.round(fused).astype(np.int64).ravel(), minlength=256)
    probabilities = counts[counts > 0] / fused.size
    return -np.sum(probabilities * np.log2(probabilities))


def sd(fused, sources):
    return np.std(fused)


def sf(fused, sources, by_pixels=False):
    across, down = np.diff(fused, axis=1) ** 2, np.diff(fused, axis=0) ** 2
    if by_pixels:
        return np.sqrt((across.sum() + down.sum()) / fused.size)
    return np.sqrt(across.mean() + down.mean())


def ag(fused, sources, intervals=False):
    down, across = np.gradient(fused)
    strengths = np.sqrt((down**2 + across**2) / 2)
    height, width = fused.shape
    return strengths.sum() / ((height - 1) * (width - 1)) if intervals else strengths.mean()


def stretched(image):
    # Halves up, as MATLAB rounds them.
    return np.floor((image - image.min()) / (image.max() - image.min()) * 255 + 0.5)


def mi(fused, sources, base=2.0, top=255, stretch=False):
    def entropy(counts):
        probabilities = counts[counts > 0] / counts.sum()
        return -np.sum(probabilities * np.log(probabilities)) / np.log(base)

    total = 0.0
    for source in sources:
        images = [stretched(image) if stretch else np.round(image) for image in (fused, source)]
        edges = np.arange(257)
        joint, _, _ = np.histogram2d(*(np.minimum(image, top).ravel() for image in images), bins=(edges, edges))
        alone = [np.histogram(image, bins=edges)[0] for image in images]
        total += entropy(alone[0]) + entropy(alone[1]) - entropy(joint)
    return total


def _r(first, second):
    first, second = first - first.mean(), second - second.mean()
    return np.sum(first * second) / np.sqrt(np.sum(first**2) * np.sum(second**2))


def cc(fused, sources):
    return np.mean([_r(fused, source) for source in sources])


def scd(fused, sources):
    total = 0.0
    for number, source in enumerate(sources):
        others = [other for place, other in enumerate(sources) if place != number]
        total += _r(fused - np.mean(others, axis=0), source)
    return total


def mse(fused, sources):
    return np.mean([np.mean((fused - source) ** 2) for source in sources])


def psnr(fused, sources, peak=255.0):
    return 10 * np.log10(peak**2 / mse(fused, sources))


def psnr_vifb(fused, sources):
    error = np.mean([np.sqrt(np.sum((fused - source) ** 2)) / fused.size for source in sources])
    return 20 * np.log10(255 / np.sqrt(error))


def _window(size):
    place = np.arange(size) - (size - 1) / 2
    window = np.exp(-(place[:, None] ** 2 + place[None] ** 2) / (2 * (size / 5) ** 2))
    return window / window.sum()


def _whole(image, window):
    """As published: the two-dimensional window at once."""
    return convolve2d(image, window, mode="valid")


def _separable(image, window):
    """The same, by rows and columns."""
    weights, margin = window.sum(0), len(window) // 2
    filtered = ndimage.correlate1d(ndimage.correlate1d(image, weights, axis=0), weights, axis=1)
    return filtered[margin:-margin, margin:-margin]


def _vifp(reference, distorted, filtered, noise=2.0, epsilon=1e-10):
    kept = there = 0.0
    for scale in range(4):
        window = _window(2 ** (4 - scale) + 1)
        if scale > 0:
            reference = filtered(reference, window)[::2, ::2]
            distorted = filtered(distorted, window)[::2, ::2]
        mean1, mean2 = filtered(reference, window), filtered(distorted, window)
        var1 = np.maximum(filtered(reference**2, window) - mean1**2, 0)
        var2 = np.maximum(filtered(distorted**2, window) - mean2**2, 0)
        covariance = filtered(reference * distorted, window) - mean1 * mean2
        gain = covariance / (var1 + epsilon)
        rest = var2 - gain * covariance
        gain[var1 < epsilon] = 0
        rest[var1 < epsilon] = var2[var1 < epsilon]
        var1[var1 < epsilon] = 0
        gain[var2 < epsilon] = 0
        rest[var2 < epsilon] = 0
        rest[gain < 0] = var2[gain < 0]
        gain[gain < 0] = 0
        rest[rest <= epsilon] = epsilon
        kept += np.sum(np.log10(1 + gain**2 * var1 / (rest + noise)))
        there += np.sum(np.log10(1 + var1 / noise))
    return kept / there


def vif(fused, sources, filtered=_whole):
    return np.mean([_vifp(source, fused, filtered) for source in sources])


def vif_separable(fused, sources):
    return vif(fused, sources, filtered=_separable)


_SOBEL_X = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
_SOBEL_Y = np.array([[1.0, 2, 1], [0, 0, 0], [-1, -2, -1]])


def _sobel(image, boundary="fill"):
    return (convolve2d(image, kernel, mode="same", boundary=boundary) for kernel in (_SOBEL_X, _SOBEL_Y))


def qabf(fused, sources, clean=False):
    def edges(image):
        x, y = _sobel(image, "symm" if clean else "fill")
        angle = np.full_like(image, np.pi / 2)
        angle[x != 0] = np.arctan(y[x != 0] / x[x != 0])
        return np.hypot(x, y), angle

    strength_f, angle_f = edges(fused)
    total = weights = 0.0
    for source in sources:
        strength, angle = edges(source)
        larger = np.maximum(strength, strength_f)
        ratio = np.divide(np.minimum(strength, strength_f), larger, out=np.ones_like(larger), where=larger > 0)
        turn = np.abs(angle - angle_f)
        if clean:
            turn = np.minimum(turn, np.pi - turn)
        similarity = 1 - turn / (np.pi / 2)
        kept = 0.9994 / (1 + np.exp(-15 * (ratio - 0.5))) * 0.9879 / (1 + np.exp(-22 * (similarity - 0.8)))
        total += np.sum(kept * strength)
        weights += np.sum(strength)
    return total / weights


def ssim(fused, sources):
    return np.mean([structural_similarity(fused, source, data_range=255) for source in sources])


def ssim_gaussian(fused, sources):
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    return np.mean([structural_similarity(fused, source, **options) for source in sources])


def _ms_ssim(first, second):
    place = np.arange(11) - 5
    weights = np.exp(-(place**2) / (2 * 1.5**2))
    weights /= weights.sum()

    def blurred(image):
        return ndimage.correlate1d(
            ndimage.correlate1d(image, weights, axis=0, mode="mirror"), weights, 1, mode="mirror"
        )

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    product = 1.0
    for scale, exponent in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        mean1, mean2 = blurred(first), blurred(second)
        var1, var2 = blurred(first**2) - mean1**2, blurred(second**2) - mean2**2
        contrast = (2 * (blurred(first * second) - mean1 * mean2) + c2) / (var1 + var2 + c2)
        if scale < 4:
            value = contrast[5:-5, 5:-5].mean()
        else:
            value = (contrast * (2 * mean1 * mean2 + c1) / (mean1**2 + mean2**2 + c1)).mean()
        product *= max(value, 0) ** exponent
        height, width = (side // 2 for side in first.shape)
        first, second = (
            image[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3)) for image in (first, second)
        )
    return product


def ms_ssim(fused, sources):
    return np.mean([_ms_ssim(fused, source) for source in sources])


def qcv(fused, sources, stretch=False, boundary="fill"):
    if stretch:
        fused, sources = stretched(fused), [stretched(source) for source in sources]
    height, width = fused.shape
    frequencies = [(np.arange(side) - side // 2) * 2 / side for side in (height, width)]
    radius = np.hypot(frequencies[1][None] * width / 8, frequencies[0][:, None] * height / 8)
    sensitivity = 2.6 * (0.0192 + 0.144 * radius) * np.exp(-((0.144 * radius) ** 1.1))
    total = weights = 0.0
    for source in sources:
        x, y = _sobel(source, boundary)
        spectrum = np.fft.fftshift(np.fft.fft2(source - fused)) * sensitivity
        seen = np.fft.ifft2(np.fft.ifftshift(spectrum)).real
        for top in range(0, height, 16):
            for left in range(0, width, 16):
                block = (slice(top, top + 16), slice(left, left + 16))
                saliency = np.sum(np.hypot(x[block], y[block]) ** 5)
                total += saliency * np.sum(seen[block] ** 2) / 256
                weights += saliency
    return total / weights


REFERENCES = {
    "EN": en,
    "SD": sd,
    "SF": sf,
    "AG": ag,
    "MI": mi,
    "CC": cc,
    "SCD": scd,
    "MSE": mse,
    "PSNR": psnr,
    "VIF": vif,
    "Qabf": qabf,
    "SSIM": ssim,
    "MS-SSIM": ms_ssim,
    "Qcv": qcv,
}
