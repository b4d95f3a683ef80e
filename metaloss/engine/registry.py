"""metaloss's own registries, children of MMEngine's: ``type='metaloss.X'`` in every config."""

from __future__ import annotations

from typing import Any

from mmengine import registry as root
from mmengine.registry import Registry
from torch import nn

import metaloss
from metaloss.data import PairedDataset, SyntheticScenes
from metaloss.losses import LearnableFusionLoss
from metaloss.networks import Adapted, Concatenated, LossGenerator, ReFusionNet
from metaloss.plugins import find


def _child(parent: Registry) -> Registry:
    return Registry(parent.name, parent=parent, scope="metaloss", locations=["metaloss.engine"])


MODELS = _child(root.MODELS)
DATASETS = _child(root.DATASETS)
LOOPS = _child(root.LOOPS)
HOOKS = _child(root.HOOKS)
METRICS = _child(root.METRICS)
RUNNERS = _child(root.RUNNERS)
LOG_PROCESSORS = _child(root.LOG_PROCESSORS)
OPTIM_WRAPPER_CONSTRUCTORS = _child(root.OPTIM_WRAPPER_CONSTRUCTORS)
# nothing of ours is in these: a config whose scope is "metaloss" finds MMEngine's own through them
INHERITED = tuple(
    _child(parent)
    for parent in (
        root.DATA_SAMPLERS,
        root.EVALUATOR,
        root.MODEL_WRAPPERS,
        root.OPTIMIZERS,
        root.OPTIM_WRAPPERS,
        root.PARAM_SCHEDULERS,
        root.TRANSFORMS,
        root.VISBACKENDS,
        root.VISUALIZERS,
    )
)

for network in (ReFusionNet, LossGenerator, Concatenated, Adapted):
    MODELS.register_module(module=network)
for data in (PairedDataset, SyntheticScenes):
    DATASETS.register_module(module=data)


@MODELS.register_module(name="Task")
def build_task(name: str, **arguments: Any) -> nn.Module:
    """A task by its plug-in name: ``dict(type='metaloss.Task', name='mmseg', config=..., num_classes=9)``."""
    return metaloss.build_task(name, **arguments)


@MODELS.register_module(name="FusionNetwork")
def build_fusion_network(name: str, **arguments: Any) -> nn.Module:
    """A fusion network by its plug-in name: ``dict(type='metaloss.FusionNetwork', name='refusion')``."""
    return metaloss.build_fusion(name, **arguments)


@MODELS.register_module(name="LearnableFusionLoss")
def build_loss(generator: dict[str, Any] | str | None = None, **arguments: Any) -> nn.Module:
    """The learnable fusion loss; its generator by type, or by plug-in name as a string."""
    if isinstance(generator, str):
        return LearnableFusionLoss(find("loss_generators", generator).load()(), **arguments)
    return LearnableFusionLoss(None if generator is None else MODELS.build(generator), **arguments)
