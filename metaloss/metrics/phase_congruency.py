"""Phase congruency: edges and corners as places where the waves of an image are in step."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from metaloss.metrics.images import root

_SCALES, _ORIENTATIONS = 4, 6
_SHORTEST_WAVE, _FACTOR = 3.0, 2.1
_BANDWIDTH, _ANGLE_RATIO = 0.55, 1.2
_CUTOFF, _SHARPNESS = 0.45, 15
_NOISE_DEVIATIONS, _NOISE_RESCALED = 2.0, 1.7
_SPREAD_MIDDLE, _SPREAD_GAIN = 0.5, 10.0
_EPSILON = 1e-4


def phase_congruency(images: Tensor) -> Tensor:
    """Phase congruency of images, and its largest and smallest moment over the orientations.

    Log-Gabor filters at four scales (wavelengths from 3 pixels, by 2.1) and six orientations, noise
    compensated (Kovesi, 1999 and 2003, with the defaults of his MATLAB code of 2005; its covariance term,
    a quarter of what he later has, is kept, since published values are made with it). A constant image has
    none.

    Args:
        images: of shape (N, B, H, W), 0-255, at least 2x2 pixels.

    Returns:
        Of shape (3, N, B, H, W): the congruency (0 to 1), the largest moment (of edges), the smallest (of
        corners).
    """
    # The filters do not pass the mean; without it, flat images have no rounding left to look like features.
    spectrum = torch.fft.fft2(images - images[..., :1, :1])
    radial, turn = _radial(spectrum), _angle(spectrum)
    energies, amplitudes = images.new_zeros(()), images.new_zeros(())
    along, across, mixed = images.new_zeros(()), images.new_zeros(()), images.new_zeros(())
    for number in range(_ORIENTATIONS):
        direction = number * math.pi / _ORIENTATIONS
        energy, amplitude = _oriented(spectrum, radial * _spread(turn, direction))
        energies, amplitudes = energies + energy, amplitudes + amplitude
        congruency = energy / torch.where(amplitude > 0, amplitude, 1)
        x, y = congruency * math.cos(direction), congruency * math.sin(direction)
        along, across, mixed = along + x.square(), across + y.square(), mixed + x * y
    along, across, mixed = along / (_ORIENTATIONS / 2), across / (_ORIENTATIONS / 2), mixed / _ORIENTATIONS
    difference = root(mixed.square() + (along - across).square()) + _EPSILON
    largest, smallest = (along + across + difference) / 2, (along + across - difference) / 2
    return torch.stack([energies / (amplitudes + _EPSILON), largest, smallest])


def _oriented(spectrum: Tensor, filters: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted energy above the noise, and summed amplitudes, of one orientation."""
    responses = [torch.fft.ifft2(spectrum * scale) for scale in filters]
    amplitudes = [root(response.real.square() + response.imag.square()) for response in responses]
    total = torch.stack(responses).sum(0)
    strength = root(total.real.square() + total.imag.square())
    even, odd = total.real / (strength + _EPSILON), total.imag / (strength + _EPSILON)
    energy = even * total.real + odd * total.imag
    for response in responses:
        energy = energy - (response.real * odd - response.imag * even).abs()
    amplitude = torch.stack(amplitudes).sum(0)
    largest = torch.stack(amplitudes).amax(0)
    energy = (energy - _noise(amplitudes[0], filters)).clamp_min(0)
    width = amplitude / (largest + _EPSILON) / _SCALES
    return energy * torch.sigmoid(_SPREAD_GAIN * (width - _SPREAD_MIDDLE)), amplitude


def _noise(amplitude: Tensor, filters: Tensor) -> Tensor:
    """The energy below which a response is noise, of the amplitudes at the smallest scale: Rayleigh's distribution."""
    squares = amplitude.square().flatten(-2)
    size = squares.shape[-1]
    # The median of an even number lies between two values; torch.median takes the lower one.
    median = (squares.kthvalue((size + 1) // 2).values + squares.kthvalue(size // 2 + 1).values) / 2
    power = median / math.log(2) / filters[0].square().sum()
    # Parseval: the energy of the filters' even parts in space, all scales together.
    opposite = filters.sum(0).flip((-2, -1)).roll((1, 1), (-2, -1))
    rayleigh = root(power * ((filters.sum(0) + opposite) / 2).square().sum())
    threshold = rayleigh * (math.sqrt(math.pi / 2) + _NOISE_DEVIATIONS * math.sqrt(2 - math.pi / 2))
    return (threshold / _NOISE_RESCALED)[..., None, None]


def _radial(like: Tensor) -> Tensor:
    """The log-Gabor filters of all scales, of shape (4, H, W)."""
    height, width = like.shape[-2:]
    low_pass = 1 / (1 + (torch.hypot(*_frequencies(height, width, like)) / _CUTOFF) ** (2 * _SHARPNESS))
    # The code's frequencies of images of odd size reach one half, those of its low pass do not.
    radius = torch.hypot(*_frequencies(height - height % 2, width - width % 2, like, size=(height, width)))
    radius[0, 0] = 1
    waves = [_SHORTEST_WAVE * _FACTOR**scale for scale in range(_SCALES)]
    filters = [torch.exp(-(torch.log(radius * wave) ** 2) / (2 * math.log(_BANDWIDTH) ** 2)) for wave in waves]
    stack = torch.stack(filters) * low_pass
    stack[:, 0, 0] = 0
    return stack


def _angle(like: Tensor) -> Tensor:
    height, width = like.shape[-2:]
    down, across = _frequencies(height - height % 2, width - width % 2, like, size=(height, width))
    return torch.atan2(-down, across)


def _spread(turn: Tensor, direction: float) -> Tensor:
    distance = torch.atan2(torch.sin(turn - direction), torch.cos(turn - direction)).abs()
    deviation = math.pi / _ORIENTATIONS / _ANGLE_RATIO
    return torch.exp(-distance.square() / (2 * deviation**2))


def _frequencies(
    height: int, width: int, like: Tensor, *, size: tuple[int, int] | None = None
) -> tuple[Tensor, Tensor]:
    rows, columns = size or (height, width)
    options = {"dtype": like.real.dtype, "device": like.device}
    down, across = torch.fft.fftfreq(rows, 1 / rows, **options), torch.fft.fftfreq(columns, 1 / columns, **options)
    grid = torch.meshgrid(down / height, across / width, indexing="ij")
    return grid[0], grid[1]
