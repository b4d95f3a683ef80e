"""metaloss learns the loss of an image fusion network by meta-learning, for any network and any task."""

import importlib
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:  # what a type checker sees, and what _SUBMODULES makes reachable without an import of its own
    from metaloss import colour as colour
    from metaloss import data as data
    from metaloss import errors as errors
    from metaloss import hypergradient as hypergradient
    from metaloss import inner as inner
    from metaloss import losses as losses
    from metaloss import metrics as metrics
    from metaloss import networks as networks
    from metaloss import plugins as plugins
    from metaloss import tasks as tasks
    from metaloss import testing as testing

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


if not TYPE_CHECKING:  # seen by a type checker, it would make any misspelt name a right one

    def __getattr__(name: str) -> object:
        if name in _SUBMODULES:
            return importlib.import_module(f"metaloss.{name}")
        raise AttributeError(f"module 'metaloss' has no attribute {name!r}")
