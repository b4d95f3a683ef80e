"""Builds the parts of a config, one by one or as a runner."""

from __future__ import annotations

import importlib
from typing import Any

from mmengine.config import Config
from mmengine.registry import RUNNERS, DefaultScope
from torch import nn

from metaloss.engine.registry import DATASETS, MODELS
from metaloss.errors import ConfigError


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


def build_network(config: dict[str, Any], imports: list[str]) -> nn.Module:
    """Builds a fusion network from its part of a config, after that config's own imports.

    Raises:
        ConfigError: a module of the config cannot be imported.
    """
    for name in imports:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ConfigError(f"the network's config imports {name!r}: {error}; put it on PYTHONPATH") from error
    with DefaultScope.overwrite_default_scope("metaloss"):
        network: nn.Module = MODELS.build(config)
    return network
