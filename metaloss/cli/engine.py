"""The trainer, where a command needs it."""

from __future__ import annotations

from typing import Any

from metaloss.errors import PluginError
from metaloss.plugins import install_hint


def load_engine(command: str) -> Any:
    """Imports ``metaloss.engine``.

    Raises:
        PluginError: a framework that it needs is not installed.
    """
    try:
        import metaloss.engine
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("metaloss"):
            raise
        name = error.name.partition(".")[0]
        raise PluginError(f"`metaloss {command}` needs {name}, not installed: {install_hint((name,))}") from None
    return metaloss.engine


def build_from_config(config: dict[str, Any], imports: list[str]) -> Any:
    """Builds a network that a training config defined; for checkpoints of such.

    Raises:
        PluginError: the trainer is not installed.
        ConfigError: a module of the config cannot be imported.
    """
    try:
        engine = load_engine("train")
    except PluginError as error:
        raise PluginError(f"this checkpoint's network comes from a training config: {error}") from None
    return engine.build_network(config, imports)
