"""Builds the network of a config, in silence and in its package's own scope."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope
from torch import nn

from metaloss_frameworks.framework_call import framework_call
from metaloss_frameworks.openmmlab.configs import name_of
from metaloss_frameworks.openmmlab.sizes import own_size
from metaloss_frameworks.quiet import quiet


def build_network(
    config: str | os.PathLike[str] | Config,
    num_classes: int,
    *,
    scope: str,
    framework: Any,
    load: Callable[[str | os.PathLike[str] | Config], Config],
    model_config: Callable[[Config, int], ConfigDict],
) -> tuple[nn.Module, tuple[int, int] | None]:
    """Builds a network with its own initial weights.

    Args:
        config: a file, a name of the package's, or a Config.
        num_classes: classes to tell apart.
        scope: of the package's registries.
        framework: where its ``MODELS`` and ``register_all_modules`` are.
        load: reads the config.
        model_config: makes its model part ready.

    Returns:
        The network, and the (H, W) of the images that it was made for, where the config says so.

    Raises:
        ConfigError: it cannot be read or built; why is said.
    """
    with DefaultScope.overwrite_default_scope(scope):
        with quiet():
            framework.register_all_modules(init_default_scope=False)
            loaded = load(config)
        size, model = own_size(loaded), model_config(loaded, num_classes)
        with quiet(), framework_call(name_of(config), "be built"):
            network: nn.Module = framework.MODELS.build(model)
            _initialise(network)
    return network, size


def _initialise(network: Any) -> None:
    """Draws the initial weights, without the lines about each of them, which go past the logger into its file."""
    network._dump_init_info = lambda: None
    try:
        network.init_weights()
    finally:
        del network._dump_init_info
