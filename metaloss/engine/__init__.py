"""Training with MMEngine; importing this module registers ``metaloss.X`` with MMEngine's registries."""

from metaloss.engine.config import load_config, shipped_configs
from metaloss.engine.hooks import PicturesHook, ProgressHook, SummaryHook
from metaloss.engine.logs import MetaLossLogProcessor
from metaloss.engine.loops import MetaLossTestLoop, MetaLossTrainLoop, MetaLossValLoop
from metaloss.engine.model import MetaLossModel
from metaloss.engine.optimizers import MetaLossOptimizers
from metaloss.engine.runner import MetaLossRunner, StateHook

__all__ = [
    "MetaLossLogProcessor",
    "MetaLossModel",
    "MetaLossOptimizers",
    "MetaLossRunner",
    "MetaLossTestLoop",
    "MetaLossTrainLoop",
    "MetaLossValLoop",
    "PicturesHook",
    "ProgressHook",
    "StateHook",
    "SummaryHook",
    "load_config",
    "shipped_configs",
]
