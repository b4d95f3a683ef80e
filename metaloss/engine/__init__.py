"""Training with MMEngine; importing this module registers ``metaloss.X`` with MMEngine's registries."""

from metaloss.engine.build import (
    build_dataset,
    build_model,
    build_network,
    build_registered,
    build_runner,
    find_registered,
    registered,
)
from metaloss.engine.config import load_config
from metaloss.engine.downstream import Downstream
from metaloss.engine.epoch_hooks import MetaLossCheckpointHook, MetaLossSchedulerHook
from metaloss.engine.hooks import PicturesHook, ProgressHook, SummaryHook
from metaloss.engine.launch import LAUNCHERS, agree, as_first, check_launcher, device, launch, leave, use_device
from metaloss.engine.loggers import LoggingVisualizer, backends_of
from metaloss.engine.logs import MetaLossLogProcessor
from metaloss.engine.loops import MetaLossTrainLoop, schedule_of
from metaloss.engine.metric import FusionMetric
from metaloss.engine.model import MetaLossModel
from metaloss.engine.optimizers import MetaLossOptimizers, build_optimizers
from metaloss.engine.overrides import parse_options
from metaloss.engine.runner import MetaLossRunner, StateHook, load_weights
from metaloss.engine.spread_hook import SpreadHook
from metaloss.engine.val_loops import MetaLossTestLoop, MetaLossValLoop

__all__ = [
    "LAUNCHERS",
    "Downstream",
    "FusionMetric",
    "LoggingVisualizer",
    "MetaLossCheckpointHook",
    "MetaLossLogProcessor",
    "MetaLossModel",
    "MetaLossOptimizers",
    "MetaLossRunner",
    "MetaLossSchedulerHook",
    "MetaLossTestLoop",
    "MetaLossTrainLoop",
    "MetaLossValLoop",
    "PicturesHook",
    "ProgressHook",
    "SpreadHook",
    "StateHook",
    "SummaryHook",
    "agree",
    "as_first",
    "backends_of",
    "build_dataset",
    "build_model",
    "build_network",
    "build_optimizers",
    "build_registered",
    "build_runner",
    "check_launcher",
    "device",
    "find_registered",
    "launch",
    "leave",
    "load_config",
    "load_weights",
    "parse_options",
    "registered",
    "schedule_of",
    "use_device",
]
