"""metaloss learns the loss of an image fusion network by meta-learning, for any network and any task."""

import importlib
from typing import Any

from metaloss.batch import FusionBatch
from metaloss.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    MetaGradientError,
    MetaLossError,
    PluginError,
    ShapeError,
)
from metaloss.hypergradient import MetaGradient
from metaloss.losses import FusionLossTerms, LearnableFusionLoss
from metaloss.networks import Adapted, Concatenated
from metaloss.plugins import build_fusion, build_loss_generator, build_task, hookimpl
from metaloss.tasks import ModuleTask, MultiTask, ReconstructionTask, TaskAdapter
from metaloss.training.learner import MetaLearner

__version__ = "0.1.0"

__all__ = [
    "Adapted",
    "CheckpointError",
    "Concatenated",
    "ConfigError",
    "DataError",
    "FusionBatch",
    "FusionLossTerms",
    "LearnableFusionLoss",
    "MetaGradient",
    "MetaGradientError",
    "MetaLearner",
    "MetaLossError",
    "ModuleTask",
    "MultiTask",
    "PluginError",
    "ReconstructionTask",
    "ShapeError",
    "TaskAdapter",
    "__version__",
    "build_fusion",
    "build_loss_generator",
    "build_task",
    "hookimpl",
]

_SUBMODULES = (
    "colour",
    "data",
    "errors",
    "hypergradient",
    "inner",
    "losses",
    "metrics",
    "networks",
    "plugins",
    "tasks",
    "testing",
)


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"metaloss.{name}")
    raise AttributeError(f"module 'metaloss' has no attribute {name!r}")
