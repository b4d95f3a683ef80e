"""Reference networks: the fusion network, the loss generator, and the blocks they are made of."""

from metaloss.networks.adapted import Adapted, Concatenated
from metaloss.networks.loss_generator import LossGenerator
from metaloss.networks.official import load_official
from metaloss.networks.reconstructor import SourceReconstructor
from metaloss.networks.refusion import ReFusionNet
from metaloss.networks.restormer import RestormerBlock
from metaloss.networks.weighted_sum import WeightedSum

__all__ = [
    "Adapted",
    "Concatenated",
    "LossGenerator",
    "ReFusionNet",
    "RestormerBlock",
    "SourceReconstructor",
    "WeightedSum",
    "load_official",
]
