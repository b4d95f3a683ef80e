"""metaloss's own registries, children of MMEngine's: ``type='metaloss.X'`` in every config."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmengine import registry as root
from mmengine.registry import Registry
from torch import nn

import metaloss
from metaloss.data import Joined, PairedDataset, SyntheticScenes, Tiles, known_dataset
from metaloss.errors import ConfigError
from metaloss.losses import LearnableFusionLoss
from metaloss.networks import Adapted, Concatenated, LossGenerator, ReFusionNet, SourceReconstructor


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
VISUALIZERS = _child(root.VISUALIZERS)
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
    )
)

Sources = int | Sequence[str] | Sequence[Sequence[str]]


def count_sources(sources: Sources) -> int:
    """How many sources a network gets, from their number, their names, or those of several kinds of pairs."""
    if isinstance(sources, int):
        return sources
    return len(sources[0] if sources and not isinstance(sources[0], str) else sources)


def _counting(factory: Callable[..., Any]) -> Callable[..., Any]:
    """Lets ``sources`` be what the data's are: names."""

    @functools.wraps(factory)
    def build(*positional: Any, **arguments: Any) -> Any:
        if "sources" in arguments:
            arguments["sources"] = count_sources(arguments["sources"])
        return factory(*positional, **arguments)

    return build


for network in (ReFusionNet, LossGenerator, SourceReconstructor):
    MODELS.register_module(name=network.__name__, module=_counting(network))
for wrapper in (Concatenated, Adapted):
    MODELS.register_module(module=wrapper)
DATASETS.register_module(module=SyntheticScenes)
DATASETS.register_module(name="KnownDataset", module=known_dataset)


@DATASETS.register_module(name="PairedDataset")
def build_pairs(
    root: str | Sequence[str], *, sources: Sequence[Any] = ("ir", "vi"), **arguments: Any
) -> PairedDataset | Joined:
    """Pairs in folders: ``dict(type='metaloss.PairedDataset', root=..., sources=('ir', 'vi'), split='train.txt')``.

    Several tuples of ``sources``, ``(('PET', 'MRI'), ('CT', 'MRI'))``, are data sets one after the other.
    """
    if all(isinstance(name, str) for name in sources):
        return PairedDataset(root, sources=sources, **arguments)
    return Joined([PairedDataset(root, sources=names, **arguments) for names in sources])


@DATASETS.register_module(name="Tiles")
def build_tiles(dataset: dict[str, Any], grid: Sequence[int] = (2, 2)) -> Tiles:
    """A data set cut into tiles: ``dict(type='metaloss.Tiles', grid=(2, 2), dataset=dict(...))``."""
    return Tiles(DATASETS.build(dataset), grid)


@DATASETS.register_module(name="Joined")
def build_joined(datasets: Sequence[dict[str, Any]]) -> Joined:
    """Data sets one after the other: ``dict(type='metaloss.Joined', datasets=[dict(...), ...])``."""
    return Joined([DATASETS.build(dataset) for dataset in datasets])


@MODELS.register_module(name="Task")
@_counting
def build_task(name: str, network: dict[str, Any] | None = None, **arguments: Any) -> nn.Module:
    """A task by its plug-in name: ``dict(type='metaloss.Task', name='mmseg', config=..., num_classes=9)``.

    A ``network`` given as a config, ``dict(type='metaloss.SourceReconstructor')`` say, is built first.
    """
    if network is not None:
        arguments["network"] = MODELS.build(network)
    return metaloss.build_task(name, **arguments)


@MODELS.register_module(name="MultiTask")
def build_multi_task(tasks: Mapping[str, Any], **arguments: Any) -> nn.Module:
    """Several tasks: ``dict(type='metaloss.MultiTask', tasks=dict(seg=dict(type='metaloss.Task', ...), ...))``."""
    return metaloss.MultiTask({name: MODELS.build(task) for name, task in tasks.items()}, **arguments)


@MODELS.register_module(name="FusionNetwork")
@_counting
def build_fusion_network(name: str, **arguments: Any) -> nn.Module:
    """A fusion network by its plug-in name: ``dict(type='metaloss.FusionNetwork', name='refusion')``.

    With ``weights=FILE``, or several files of its parts, it begins with those.

    Raises:
        ConfigError: the name or the weights are empty, and so still to be given.
    """
    missing = [what for what, empty in (("network=NAME", not name), ("weights=FILE", _empty(arguments))) if empty]
    if missing:
        raise ConfigError(
            f"the fusion network goes on from published weights: give {' and '.join(missing)} (weights=[FILE,FILE] "
            "where they are in parts); `metaloss list` shows the names, docs/peers.md where the files are published"
        )
    return metaloss.build_fusion(name, **arguments)


def _empty(arguments: Mapping[str, Any]) -> bool:
    return arguments.get("weights") is not None and not arguments["weights"]


@MODELS.register_module(name="Generator")
@_counting
def build_generator(name: str, **arguments: Any) -> nn.Module:
    """A loss generator by its plug-in name: ``dict(type='metaloss.Generator', name='restormer', sources=3)``."""
    return metaloss.build_loss_generator(name, **arguments)


@MODELS.register_module(name="LearnableFusionLoss")
def build_loss(generator: dict[str, Any] | str | None = None, **arguments: Any) -> nn.Module:
    """The learnable fusion loss; its generator by type, or by plug-in name as a string.

    Uniform weights have none, whatever the config names: ``model.loss.weights=uniform`` is all that ablation I takes.
    """
    if arguments.get("weights") == "uniform":
        return LearnableFusionLoss(**arguments)
    if isinstance(generator, str):
        return LearnableFusionLoss(metaloss.build_loss_generator(generator), **arguments)
    return LearnableFusionLoss(None if generator is None else MODELS.build(generator), **arguments)
