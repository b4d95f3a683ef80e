"""Builds the parts of a config, one by one or as a runner."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.registry import RUNNERS, DefaultScope
from torch import nn

from metaloss.engine.registry import DATASETS, HOOKS, INHERITED, LOOPS, METRICS, MODELS
from metaloss.errors import CheckpointError, ConfigError, nearest

KINDS = {"hook": HOOKS, "loop": LOOPS, "metric": METRICS, **{registry.name: registry for registry in INHERITED}}
_NO_NETWORKS = ("MetaLossModel", "Task", "MultiTask")  # they read files that a checkpoint must not choose


def build_dataset(config: Config, dataloader: str) -> Any:
    """Builds the data set of ``train_dataloader`` or ``val_dataloader``.

    Raises:
        ConfigError: the config has no such data.
        DataError: the files are not as they should be.
    """
    if config.get(dataloader) is None or "dataset" not in config[dataloader]:
        raise ConfigError(f"config {config.filename}: no {dataloader} with a dataset")
    with DefaultScope.overwrite_default_scope("metaloss"):
        return DATASETS.build(config[dataloader].dataset)


def build_model(config: Config) -> nn.Module:
    """Builds F, G and T.

    Raises:
        ConfigError: the config has no model.
        PluginError: an unknown task or network, or a framework that is not installed.
    """
    if config.get("model") is None:
        raise ConfigError(f"config {config.filename}: no model")
    with DefaultScope.overwrite_default_scope("metaloss"):
        model: nn.Module = MODELS.build(config.model)
    return model


def build_runner(config: Config) -> Any:
    """Builds the runner that the config names."""
    return RUNNERS.build(config)


def find_registered(kind: str, name: str) -> Any:
    """Finds what a config's ``type`` names; ``None`` where nothing is registered under it.

    Args:
        kind: one of ``KINDS``.
        name: such as ``"metaloss.PicturesHook"`` or ``"LoggerHook"``.
    """
    with DefaultScope.overwrite_default_scope("metaloss"):
        return KINDS[kind].get(name)


def registered(kind: str) -> list[str]:
    """The names that are registered of a kind, metaloss's and MMEngine's."""
    registry = KINDS[kind]
    return [*registry.module_dict, *(registry.parent.module_dict if registry.parent else ())]


def build_registered(kind: str, config: dict[str, Any]) -> Any:
    """Builds one part of a config, a hook say."""
    with DefaultScope.overwrite_default_scope("metaloss"):
        return KINDS[kind].build(copy.deepcopy(dict(config)))


def build_network(config: dict[str, Any], imports: Sequence[str] = (), allowed: Sequence[str] = ()) -> nn.Module:
    """Builds a network from its part of a config that a checkpoint holds.

    A checkpoint is only data: what it names has to be registered, and it imports nothing by itself.

    Args:
        config: the network's part.
        imports: the modules that the training config imported.
        allowed: those that the user has allowed, which are imported.

    Raises:
        CheckpointError: a name that is not registered, or imports that were not allowed.
        ConfigError: an allowed module cannot be imported.
    """
    strange = [str(name) for name in imports if name not in allowed and not _is_ours(name)]
    if strange:
        raise CheckpointError(
            f"its network needs the imports {', '.join(map(repr, strange[:3]))}, and a checkpoint may import nothing: "
            "give the training config as --config CONFIG, whose imports are allowed"
        )
    for name in imports:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ConfigError(f"the network's config imports {name!r}: {error}; put it on PYTHONPATH") from error
    _check_names(config)
    config = _without_weights(config)
    with DefaultScope.overwrite_default_scope("metaloss"):
        network: nn.Module = MODELS.build(config)
    return network


def _is_ours(module: Any) -> bool:
    return isinstance(module, str) and (module == "metaloss" or module.startswith("metaloss."))


def _check_names(config: Any) -> None:
    """Refuses what is not a registered network, at every depth: MMEngine would import, or call, any dotted name."""
    if isinstance(config, (list, tuple)):
        for part in config:
            _check_names(part)
    if not isinstance(config, dict):
        return
    if "_scope_" in config:
        raise CheckpointError(f"its network's config has _scope_={config['_scope_']!r}, which would import a package")
    if "type" in config:
        name = config["type"]
        known = [each for each in MODELS.module_dict if each not in _NO_NETWORKS]
        if not isinstance(name, str) or name.removeprefix("metaloss.") not in known:
            raise CheckpointError(
                f"its network's config names {name!r}, which is no registered network"
                f"{nearest(str(name), known)}: where the training config registers it, give that as --config CONFIG"
            )
    for part in config.values():
        _check_names(part)


def _without_weights(config: Any) -> Any:
    """A network's config without the files that it began with: a checkpoint has its own weights, and opens no file."""
    if isinstance(config, (list, tuple)):
        return [_without_weights(part) for part in config]
    if not isinstance(config, dict):
        return config
    named = str(config.get("type")).removeprefix("metaloss.") == "FusionNetwork"
    return {key: _without_weights(part) for key, part in config.items() if not (named and key == "weights")}


def dataset_of(dataloader: Mapping[str, Any]) -> Any:
    """The data set of a data loader's config, built where it is not."""
    dataset = dataloader["dataset"]
    return DATASETS.build(dataset) if isinstance(dataset, dict) else dataset


def model_of(runner: Any) -> Any:
    """The model of a runner, without the wrapper of several processes."""
    return getattr(runner.model, "module", runner.model)
