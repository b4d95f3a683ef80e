"""The optional metrics once more, window by window and level by level, as their papers have them.

Independent of the package, in numpy and scipy. Every function takes one fused image and a list of
sources, float64 arrays (H, W) in 0-255, and gives a number by the convention "tdfusion" unless an
argument says otherwise.
"""

from __future__ import annotations

import itertools

import numpy as np
from reference import stretched
from scipy import fft, ndimage
from scipy.signal import convolve2d


def _histogram(*images):
    edges = [np.arange(257) - 0.5] * len(images)
    counts, _ = np.histogramdd([np.round(image).ravel() for image in images], bins=edges)
    return counts / images[0].size


def _entropy(probabilities, base=np.e):
    some = probabilities[probabilities > 0]
    return -np.sum(some * np.log(some)) / np.log(base)


def ce(fused, sources):
    total = 0.0
    for source in sources:
        for p, q in zip(_histogram(source), _histogram(fused), strict=True):
            if p > 0 and q > 0:
                total += p * np.log2(p / q)
    return total / len(sources)


def ei(fused, sources):
    return np.mean(np.hypot(ndimage.sobel(fused, axis=0, mode="nearest"), ndimage.sobel(fused, axis=1, mode="nearest")))


def rmse(fused, sources, by_pixels=False):
    values = [np.linalg.norm(fused - source) for source in sources]
    return np.mean(values) / (fused.size if by_pixels else np.sqrt(fused.size))


def qcb(fused, sources, stretch=False):
    images = [stretched(image) if stretch else image for image in (fused, *sources)]
    height, width = fused.shape
    rows, columns = (np.fft.ifftshift(np.arange(side) - side // 2) for side in (height, width))
    radius = np.sqrt((rows[:, None] * 2 / height * height / 30) ** 2 + (columns * 2 / width * width / 30) ** 2)
    sensitivity = np.exp(-((radius / 15.3870) ** 2)) - 0.7622 * np.exp(-((radius / 1.3456) ** 2))
    y, x = np.mgrid[-15:16, -15:16]
    gaussians = [np.exp(-(x**2 + y**2) / (2 * sigma**2)) / (2 * np.pi * sigma**2) for sigma in (2, 4)]
    masked = []
    for image in images:
        seen = np.fft.ifft2(np.fft.fft2(image) * sensitivity).real
        fine, coarse = (convolve2d(seen, window, mode="same") for window in gaussians)
        contrast = np.abs(fine / coarse - 1)
        masked.append(contrast**3 / (contrast**2 + 0.0001))
    of_fused, of_sources = masked[0], masked[1:]
    total = sum(contrast**2 for contrast in of_sources)
    quality = 0.0
    for contrast in of_sources:
        preserved = np.where(contrast < of_fused, contrast / of_fused, of_fused / contrast)
        quality = quality + contrast**2 / total * preserved
    return np.mean(quality)


def nabf(fused, sources):
    def edges(image):
        padded = np.pad(image, 1, mode="reflect")
        strength, angle = np.zeros_like(image), np.zeros_like(image)
        for i, j in np.ndindex(image.shape):
            patch = padded[i : i + 3, j : j + 3]
            v = np.sum(patch * [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
            h = np.sum(patch * [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]) / 8
            strength[i, j] = np.sqrt(v**2 + h**2)
            angle[i, j] = 0 if v == h == 0 else np.pi / 2 * np.sign(v) if h == 0 else np.arctan(v / h)
        return strength, angle

    strength_f, angle_f = edges(fused)
    of_sources = [edges(source) for source in sources]
    artefacts = weights = 0.0
    for place in np.ndindex(fused.shape):
        new = all(strength_f[place] > strength[place] for strength, _ in of_sources)
        for strength, angle in of_sources:
            g, f = strength[place], strength_f[place]
            ratio = 0 if g == 0 or f == 0 else min(g, f) / max(g, f)
            aligned = abs(abs(angle[place] - angle_f[place]) - np.pi / 2) * 2 / np.pi
            kept = np.sqrt(0.9999 / (1 + np.exp(-19 * (ratio - 0.5))) * 0.9995 / (1 + np.exp(-22 * (aligned - 0.5))))
            weight = g**1.5 if g >= 2 else 0.001
            artefacts += new * (1 - kept) * weight
            weights += weight
    return artefacts / weights


def nmi(fused, sources):
    images = [fused, *sources]
    total = 0.0
    for source in images[1:]:
        alone = _entropy(_histogram(source)) + _entropy(_histogram(images[0]))
        total += 2 * (alone - _entropy(_histogram(source, images[0]))) / alone
    return total


def qncie(fused, sources):
    images = [fused, *sources]
    size = len(images)
    matrix = np.eye(size)
    for i, j in itertools.permutations(range(size), 2):
        alone = _entropy(_histogram(images[i]), 256) + _entropy(_histogram(images[j]), 256)
        matrix[i, j] = alone - _entropy(_histogram(images[i], images[j]), 256)
    return 1 - _entropy(np.linalg.eigvals(matrix).real / size, 256)


def te(fused, sources, stretch=False, exchanged=False, q=1.85):
    images = [stretched(image) if stretch else image for image in (fused, *sources)]
    total = 0.0
    for source in images[1:]:
        pairs = _histogram(source, images[0])
        rows, columns = pairs.sum(1), pairs.sum(0)
        if exchanged:
            rows, columns = columns, rows
        order = 0.0
        for i, j in zip(*np.nonzero(pairs), strict=True):
            if rows[i] * columns[j] > 0:
                order += pairs[i, j] ** q / (rows[i] * columns[j]) ** (q - 1)
        total += (1 - order) / (1 - q)
    return total


def _window_information(first, second):
    """Haghighat's model of the joint distribution of two windows, position by position."""
    if np.array_equal(first, second):
        return 1.0

    def distribution(window):
        values = window.T.ravel()
        span = values.max() - values.min()
        values = (values - values.min()) / span if span > 0 else np.ones_like(values)
        return values / values.sum()

    p, q = distribution(first), distribution(second)
    places = np.arange(1, p.size + 1)
    centred = p - p.mean(), q - q.mean()
    energy = np.sqrt(np.sum(centred[0] ** 2) * np.sum(centred[1] ** 2))
    correlation = np.sum(centred[0] * centred[1]) / energy if energy > 0 else 0.0
    spread = np.prod([np.sqrt(np.sum(places**2 * r) - np.sum(places * r) ** 2) for r in (p, q)])
    u, v = (np.concatenate([[0], np.cumsum(r)]) for r in (p, q))
    bound = np.maximum(u[:, None] + v[None] - 1, 0) if correlation < 0 else np.minimum(u[:, None], v[None])
    covariance = np.sum(bound - u[:, None] * v[None])
    weight = correlation / (covariance / spread) if spread > 0 and correlation != 0 else 0.0
    joint = weight * np.diff(np.diff(bound, axis=0), axis=1) + (1 - weight) * np.outer(p, q)
    joint = joint[joint != 0]
    alone = _entropy(p) + _entropy(q)
    return 2 * (alone + np.sum(joint * np.log(np.abs(joint)))) / alone if alone > 0 else 0.0


def _fmi(fused, sources, feature):
    features = [feature(image) for image in (fused, *sources)]
    height, width = features[0].shape
    total = []
    for i, j in np.ndindex(height - 2, width - 2):
        windows = [image[i : i + 3, j : j + 3] for image in features]
        total += [_window_information(windows[0], window) for window in windows[1:]]
    return np.mean(total)


def edges(image):
    """MATLAB's thinned Sobel edges, pixel by pixel."""
    x, y = (np.abs(ndimage.sobel(image, axis=axis, mode="nearest")) for axis in (1, 0))
    strength = x**2 + y**2
    height, width = image.shape
    marked = np.zeros_like(image)
    for i, j in np.ndindex(height, width):
        here = strength[i, j]
        left, right = strength[i, max(j - 1, 0)], strength[i, min(j + 1, width - 1)]
        above, below = strength[max(i - 1, 0), j], strength[min(i + 1, height - 1), j]
        peak = (x[i, j] >= y[i, j] and left <= here > right) or (y[i, j] >= x[i, j] and above <= here > below)
        marked[i, j] = here > 4 * strength.mean() and peak
    return marked


def fmi_pixel(fused, sources, binary=False):
    return _fmi(fused, sources, edges if binary else lambda image: image)


def fmi_gradient(fused, sources):
    return _fmi(fused, sources, lambda image: np.gradient(image, axis=1))


def fmi_dct(fused, sources):
    return _fmi(fused, sources, lambda image: fft.dctn(image, norm="ortho"))


def _scales(weights, stack, c1=0.0, c2=0.0):
    """The quality index and covariance of the first image with the others, and variances, window by window."""
    side = len(weights)
    height, width = stack[0].shape
    count = (height - side + 1, width - side + 1)
    variances = np.zeros((len(stack), *count))
    index, covariances = np.zeros((len(stack), len(stack), *count)), np.zeros((len(stack), len(stack), *count))
    for i, j in np.ndindex(count):
        patches = [image[i : i + side, j : j + side] for image in stack]
        means = [np.sum(weights * patch) for patch in patches]
        centred = [patch - mean for patch, mean in zip(patches, means, strict=True)]
        for k, patch in enumerate(centred):
            variances[k, i, j] = np.sum(weights * patch**2)
        for k, m in itertools.product(range(len(stack)), repeat=2):
            covariance = np.sum(weights * centred[k] * centred[m])
            covariances[k, m, i, j] = covariance
            luminance = (2 * means[k] * means[m] + c1) / (means[k] ** 2 + means[m] ** 2 + c1)
            index[k, m, i, j] = luminance * (2 * covariance + c2) / (variances[k, i, j] + variances[m, i, j] + c2)
    return index, covariances, variances


def _gaussian(side, sigma):
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    window = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    return window / window.sum()


def prewitt(image, boundary="fill"):
    kernel = np.array([[1.0, 0, -1], [1, 0, -1], [1, 0, -1]])
    return np.hypot(
        convolve2d(image, kernel, mode="same", boundary=boundary),
        convolve2d(image, kernel.T, mode="same", boundary=boundary),
    )


def _piella(stack, ssim):
    if ssim:
        index, _, variances = _scales(_gaussian(11, 1.5), stack, (0.01 * 255) ** 2, (0.03 * 255) ** 2)
    else:
        index, _, variances = _scales(np.full((8, 8), 1 / 64), stack)
    shares = variances[1:] / variances[1:].sum(0)
    return (shares * index[0, 1:]).sum(0), variances[1:].max(0)


def qs(fused, sources, ssim=False):
    return np.mean(_piella([fused, *sources], ssim)[0])


def qw(fused, sources, ssim=False, of_edges=False, boundary="fill"):
    images = [prewitt(image, boundary) for image in (fused, *sources)] if of_edges else [fused, *sources]
    quality, weights = _piella(images, ssim)
    return np.sum(weights / weights.sum() * quality)


def qe(fused, sources, ssim=False, boundary="fill"):
    return qw(fused, sources, ssim) * qw(fused, sources, ssim, of_edges=True, boundary=boundary)


def qy(fused, sources):
    index, _, variances = _scales(_gaussian(7, 1.5), [fused, *sources])
    values = []
    for i, j in np.ndindex(index.shape[2:]):
        with_fused = index[0, 1:, i, j]
        if index[1:, 1:, i, j].min() >= 0.75:
            share = variances[1:, i, j] / variances[1:, i, j].sum()
            values.append(np.sum(share * with_fused))
        else:
            values.append(with_fused.max())
    return np.mean(values)


def qc(fused, sources):
    index, covariances, _ = _scales(_gaussian(7, 1.5), [fused, *sources])
    values = []
    for i, j in np.ndindex(index.shape[2:]):
        share = np.clip(covariances[0, 1:, i, j] / covariances[0, 1:, i, j].sum(), 0, 1)
        values.append(np.sum(share / share.sum() * index[0, 1:, i, j]))
    return np.mean(values)


def _congruency(image):
    """Kovesi's phase congruency and its moments, by one filter after the other."""
    height, width = image.shape
    steps = [np.arange(side) - side // 2 for side in (height, width)]
    whole = [step / (side - side % 2) for step, side in zip(steps, (height, width), strict=True)]
    exact = [step / side for step, side in zip(steps, (height, width), strict=True)]
    radius = np.sqrt(whole[0][:, None] ** 2 + whole[1][None] ** 2)
    angle = np.arctan2(-whole[0][:, None], whole[1][None])
    low = 1 / (1 + (np.sqrt(exact[0][:, None] ** 2 + exact[1][None] ** 2) / 0.45) ** 30)
    centre = height // 2, width // 2
    radius[centre] = 1
    spectrum = np.fft.fft2(image)
    energies = amplitudes = 0.0
    x2 = y2 = xy = 0.0
    for orientation in range(6):
        direction = orientation * np.pi / 6
        distance = np.abs(np.angle(np.exp(1j * (angle - direction))))
        lobe = np.exp(-(distance**2) / (2 * (np.pi / 6 / 1.2) ** 2))
        responses, in_space = [], []
        for scale in range(4):
            gabor = np.exp(-(np.log(radius * 3 * 2.1**scale) ** 2) / (2 * np.log(0.55) ** 2)) * low
            gabor[centre] = 0
            gabor = np.fft.ifftshift(gabor * lobe)
            responses.append(np.fft.ifft2(spectrum * gabor))
            in_space.append(np.fft.ifft2(gabor).real * np.sqrt(image.size))
            if scale == 0:
                filter_energy = np.sum(gabor**2)
        total = sum(responses)
        mean = total / (np.abs(total) + 0.0001)
        energy = sum(
            (response * np.conj(mean)).real - np.abs((response * np.conj(mean)).imag) for response in responses
        )
        power = -np.median(np.abs(responses[0]) ** 2) / np.log(0.5) / filter_energy
        squares = sum(np.sum(each**2) for each in in_space)
        products = sum(np.sum(one * other) for one, other in itertools.combinations(in_space, 2))
        tau = np.sqrt((2 * power * squares + 4 * power * products) / 2)
        noise = (tau * np.sqrt(np.pi / 2) + 2 * np.sqrt((2 - np.pi / 2) * tau**2)) / 1.7
        strengths = np.abs(responses)
        width_of = strengths.sum(0) / (strengths.max(0) + 0.0001) / 4
        energy = np.maximum(energy - noise, 0) / (1 + np.exp((0.5 - width_of) * 10))
        energies, amplitudes = energies + energy, amplitudes + strengths.sum(0)
        x, y = (energy / strengths.sum(0) * f(direction) for f in (np.cos, np.sin))
        x2, y2, xy = x2 + x**2, y2 + y**2, xy + x * y
    x2, y2, xy = x2 / 3, y2 / 3, xy / 6
    root = np.sqrt(xy**2 + (x2 - y2) ** 2) + 0.0001
    return energies / (amplitudes + 0.0001), (x2 + y2 + root) / 2, (x2 + y2 - root) / 2


def qp(fused, sources):
    window = _gaussian(11, 1.5)

    def mean(image):
        return convolve2d(image, window, mode="same")

    of_fused, of_sources = _congruency(fused), [_congruency(source) for source in sources]
    winner = np.argmax([maps[0] for maps in of_sources], axis=0)
    strongest = [np.choose(winner, [maps[part] for maps in of_sources]) for part in range(3)]
    product = 1.0
    for part in range(3):
        f = of_fused[part]
        correlations = []
        for maps in (*of_sources, strongest):
            there = maps[0] > 0.1
            s = np.where(there, maps[part], 0)
            covariance = mean(s * f) - mean(s) * mean(f)
            variances = (mean(s**2) - mean(s) ** 2) * (mean(f**2) - mean(f) ** 2)
            correlations.append(np.where(there, (covariance + 0.0001) / (np.sqrt(np.abs(variances)) + 0.0001), 0))
        product *= np.max(correlations, axis=0).sum() / np.sum(strongest[0] > 0.1)
    return product


def _mef_ssim(fused, sources):
    window, side = _gaussian(11, 1.5), 11
    height, width = fused.shape
    values = []
    for i, j in np.ndindex(height - side + 1, width - side + 1):
        place = (slice(i, i + side), slice(j, j + side))
        centred = [source[place] - source[place].mean() for source in sources]
        norms = np.array([np.linalg.norm(patch) for patch in centred])
        strengths = norms + 0.001
        consistency = np.linalg.norm(sum(centred)) / norms.sum()
        power = min(np.tan(np.pi / 2 * consistency), 10)
        weights = (strengths / side) ** power
        wanted = sum(
            weight / weights.sum() * patch / strength
            for weight, patch, strength in zip(weights, centred, strengths, strict=True)
        )
        wanted = wanted / np.linalg.norm(wanted) * strengths.max()
        wanted, seen = (patch - np.sum(window * patch) for patch in (wanted, fused[place]))
        covariance, c = np.sum(window * wanted * seen), (0.03 * 255) ** 2
        values.append((2 * covariance + c) / (np.sum(window * wanted**2) + np.sum(window * seen**2) + c))
    return np.mean(values)


def mef_ssim(fused, sources):
    exponents = np.array([0.0448, 0.2856, 0.3001])
    product = 1.0
    images = [fused, *sources]
    for exponent in exponents / exponents.sum():
        product *= _mef_ssim(images[0], images[1:]) ** exponent
        images = [
            convolve2d(np.pad(image, ((0, 1), (0, 1)), mode="symmetric"), np.full((2, 2), 0.25), mode="valid")[::2, ::2]
            for image in images
        ]
    return product


REFERENCES = {
    "CE": ce,
    "EI": ei,
    "RMSE": rmse,
    "Qcb": qcb,
    "Nabf": nabf,
    "NMI": nmi,
    "QNCIE": qncie,
    "TE": te,
    "FMI_pixel": fmi_pixel,
    "FMI_gradient": fmi_gradient,
    "FMI_dct": fmi_dct,
    "Qs": qs,
    "Qw": qw,
    "Qe": qe,
    "Qy": qy,
    "Qc": qc,
    "Qp": qp,
    "MEF-SSIM": mef_ssim,
}


def wavelet(image, low):
    """One level of an orthogonal wavelet, mirrored at the border, with the four bands side by side."""
    high = [value * (-1) ** (place + 1) for place, value in enumerate(low[::-1])]
    padded = np.pad(image, len(low) - 1, mode="symmetric")

    def band(rows, columns):
        return convolve2d(padded, np.outer(columns, rows), mode="valid")[1::2, 1::2]

    return np.block([[band(low, low), band(low, high)], [band(high, low), band(high, high)]])


def fmi_w(fused, sources, low):
    return _fmi(fused, sources, lambda image: wavelet(image, low))
