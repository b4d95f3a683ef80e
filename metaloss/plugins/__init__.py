"""Plug-ins: tasks, networks and methods by name, from anyone."""

from typing import TYPE_CHECKING

from metaloss.plugins.hookspecs import hookimpl
from metaloss.plugins.manager import (
    FailedPlugin,
    PluginManager,
    build_loss_generator,
    build_task,
    find,
    plugin_manager,
    records,
)
from metaloss.plugins.records import PublishedNetwork, Record, install_hint
from metaloss.runtime.lazy import lazily

if TYPE_CHECKING:
    from metaloss.plugins.fitting import difference
    from metaloss.plugins.weights import build_fusion, load_fusion, load_generator

__all__ = [
    "FailedPlugin",
    "PluginManager",
    "PublishedNetwork",
    "Record",
    "build_fusion",
    "build_loss_generator",
    "build_task",
    "difference",
    "find",
    "hookimpl",
    "install_hint",
    "load_fusion",
    "load_generator",
    "plugin_manager",
    "records",
]

_PLACES = {  # these import torch; records are listed without it
    "build_fusion": "weights",
    "difference": "fitting",
    "load_fusion": "weights",
    "load_generator": "weights",
}

if not TYPE_CHECKING:
    __getattr__ = lazily(__name__, _PLACES)
