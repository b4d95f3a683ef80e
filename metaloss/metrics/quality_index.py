"""Wang and Bovik's universal quality index in sliding windows, on which several metrics are built."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from metaloss.metrics.windows import window_means

# Of squared grey levels: what float64 leaves of a flat window is far below, and what one pixel that
# differs by one level makes of it far above.
_FLAT = 1e-8


class Windows:
    """Local moments of the images of one stack, and indices of quality between them.

    Args:
        stack: of shape (K, B, H, W).
        weights: of the window's rows, and of its columns.
        constants: SSIM's C1 and C2; without them, the moments are float64, since nothing hides the
            rounding of a nearly flat window.
    """

    def __init__(self, stack: Tensor, weights: Sequence[float], constants: tuple[float, float] = (0.0, 0.0)) -> None:
        self._stack = stack if any(constants) else stack.double()
        self._weights, self._constants = weights, constants
        self._means = torch.stack([window_means(image, weights) for image in self._stack])
        self.variances = torch.stack([self._covariance(place, place) for place in range(len(stack))])
        self.variances = torch.where(self.variances > _FLAT, self.variances, 0)

    def pair(self, first: int, second: int) -> tuple[Tensor, Tensor]:
        r"""The index of quality of two images, and their covariance.

        .. math:: \frac{(2 \mu_1 \mu_2 + C_1)(2 \sigma_{12} + C_2)}
            {(\mu_1^2 + \mu_2^2 + C_1)(\sigma_1^2 + \sigma_2^2 + C_2)}

        Where both windows are flat or both are black and there is no constant, the factor is 1.

        Args:
            first: the place of one image in the stack.
            second: that of the other.

        Returns:
            Two maps of shape (B, h, w).
        """
        c1, c2 = self._constants
        mean1, mean2 = self._means[first], self._means[second]
        covariance = self._covariance(first, second)
        luminance = _ratio(2 * mean1 * mean2 + c1, mean1.square() + mean2.square() + c1)
        contrast = _ratio(2 * covariance + c2, self.variances[first] + self.variances[second] + c2)
        return luminance * contrast, covariance

    def _covariance(self, first: int, second: int) -> Tensor:
        product = window_means(self._stack[first] * self._stack[second], self._weights)
        return product - self._means[first] * self._means[second]


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    there = denominator > 0
    return torch.where(there, numerator / torch.where(there, denominator, 1), 1)
