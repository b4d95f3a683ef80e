"""Fusion losses: pure functions and thin Modules."""

from metaloss.losses.fusion import FusionLossTerms, LearnableFusionLoss, gradient_term, intensity_term, sobel

__all__ = ["FusionLossTerms", "LearnableFusionLoss", "gradient_term", "intensity_term", "sobel"]
