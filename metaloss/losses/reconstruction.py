"""The reconstruction loss of ReFusion: a pure function and a thin Module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from metaloss.batch import check_sources
from metaloss.errors import ConfigError, ShapeError
from metaloss.losses.fusion import gradient_term, intensity_term


class ReconstructionLossTerms(NamedTuple):
    """What the reconstruction loss is made of.

    Attributes:
        total: the loss, 0-d: ``intensity + alpha * gradient``.
        intensity: 0-d.
        gradient: 0-d.
    """

    total: Tensor
    intensity: Tensor
    gradient: Tensor


def reconstruction_loss(
    reconstructed: Sequence[Tensor], sources: Sequence[Tensor], alpha: float = 1.0
) -> ReconstructionLossTerms:
    """Compares each source I_k with its reconstruction R_k (ReFusion, IJCV 2024).

    With the same distances as the fusion loss (TDFusion Eq. 2 and 3), each source by itself and with weight 1::

        L_r = sum_k mean (R_k - I_k)^2  +  alpha sum_k mean |grad R_k - grad I_k|

    where grad is the Sobel gradient, and the L1 norms of both axes are summed.

    Args:
        reconstructed: n tensors R_k of shape (B, C, H, W).
        sources: n tensors I_k of the same shape.
        alpha: the factor of the gradient term, 0 or more.

    Returns:
        The total and its two terms, each 0-d.

    Raises:
        ShapeError: another number of images, or images of other shapes.
    """
    check_sources(sources)
    if len(reconstructed) != len(sources):
        raise ShapeError(f"{len(reconstructed)} images were reconstructed of {len(sources)} sources: one each")
    intensity, gradient = sources[0].new_zeros(()), sources[0].new_zeros(())
    for number, (image, source) in enumerate(zip(reconstructed, sources, strict=True)):
        if image.shape != source.shape:
            raise ShapeError(
                f"source {number} has shape {tuple(source.shape)} and its reconstruction {tuple(image.shape)}: "
                "they are compared pixel by pixel"
            )
        whole = image.new_ones(()).expand(len(image), 1, *image.shape[-2:])
        intensity = intensity + intensity_term(image, [source], whole)
        gradient = gradient + gradient_term(image, [source], whole, form="learned")
    return ReconstructionLossTerms(intensity + alpha * gradient, intensity, gradient)


class ReconstructionLoss(nn.Module):
    """:func:`reconstruction_loss` with its factor.

    Args:
        alpha: the factor of the gradient term, 0 or more.

    Raises:
        ConfigError: a negative factor.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        if not alpha >= 0:
            raise ConfigError(f"ReconstructionLoss(alpha={alpha!r}): a factor is 0 or more")
        self.alpha = alpha

    def forward(self, reconstructed: Sequence[Tensor], sources: Sequence[Tensor]) -> ReconstructionLossTerms:
        """Measures n reconstructions (B, C, H, W) against their sources; see :func:`reconstruction_loss`."""
        return reconstruction_loss(reconstructed, sources, self.alpha)

    def extra_repr(self) -> str:
        """What ``repr`` shows."""
        return f"alpha={self.alpha}"
