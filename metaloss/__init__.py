"""metaloss learns the loss of an image fusion network by meta-learning, for any network and any task."""

from typing import TYPE_CHECKING

from metaloss.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    MetaGradientError,
    MetaLossError,
    PluginError,
    ShapeError,
)
from metaloss.runtime.lazy import lazily

if TYPE_CHECKING:  # what a type checker sees, and what _PLACES makes reachable without an import of its own
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
    from metaloss.batch import FusionBatch
    from metaloss.hypergradient import MetaGradient
    from metaloss.inference.export import export
    from metaloss.inference.fuser import Fuser
    from metaloss.losses import FusionLossTerms, LearnableFusionLoss
    from metaloss.networks import Adapted, Concatenated
    from metaloss.plugins import build_fusion, build_loss_generator, build_task, hookimpl
    from metaloss.plugins.loading import load
    from metaloss.tasks import ModuleTask, MultiTask, ReconstructionTask, TaskAdapter
    from metaloss.training.learner import MetaLearner

__version__ = "0.1.0"

__all__ = [
    "Adapted",
    "CheckpointError",
    "Concatenated",
    "ConfigError",
    "DataError",
    "Fuser",
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
    "export",
    "hookimpl",
    "load",
]

_PLACES = {
    "Adapted": "networks",
    "Concatenated": "networks",
    "Fuser": "inference.fuser",
    "FusionBatch": "batch",
    "FusionLossTerms": "losses",
    "LearnableFusionLoss": "losses",
    "MetaGradient": "hypergradient",
    "MetaLearner": "training.learner",
    "ModuleTask": "tasks",
    "MultiTask": "tasks",
    "ReconstructionTask": "tasks",
    "TaskAdapter": "tasks",
    "build_fusion": "plugins",
    "build_loss_generator": "plugins",
    "build_task": "plugins",
    "colour": "colour",
    "data": "data",
    "errors": "errors",
    "export": "inference.export",
    "hookimpl": "plugins",
    "hypergradient": "hypergradient",
    "inner": "inner",
    "load": "plugins.loading",
    "losses": "losses",
    "metrics": "metrics",
    "networks": "networks",
    "plugins": "plugins",
    "tasks": "tasks",
    "testing": "testing",
}

if not TYPE_CHECKING:  # seen by a type checker, it would make any misspelt name a right one
    __getattr__ = lazily(__name__, _PLACES)
