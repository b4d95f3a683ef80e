"""Losses: pure functions and thin Modules."""

from metaloss.losses.fusion import FusionLossTerms, LearnableFusionLoss, gradient_term, intensity_term, sobel
from metaloss.losses.reconstruction import ReconstructionLoss, ReconstructionLossTerms, reconstruction_loss

__all__ = [
    "FusionLossTerms",
    "LearnableFusionLoss",
    "ReconstructionLoss",
    "ReconstructionLossTerms",
    "gradient_term",
    "intensity_term",
    "reconstruction_loss",
    "sobel",
]
