"""The trainer, where a command needs it."""

from __future__ import annotations

from typing import Any

from metaloss.errors import PluginError
from metaloss.plugins import install_hint
from metaloss.plugins.weights import BuildFromConfig


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


def class_count(config: Any) -> int | None:
    """How many classes a config's setting ``classes`` gives, by number or by name; ``None`` where it has none."""
    classes = config.get("classes")
    return len(classes) if isinstance(classes, (list, tuple)) else classes


def builder(config: str | None) -> BuildFromConfig:
    """Makes what builds the networks of checkpoints that come from a training config.

    Args:
        config: the training config, or its name, whose imports are allowed; ``None``: none are.

    Raises:
        PluginError: the trainer is not installed.
        ConfigError: no such config, or one that cannot be run.
    """
    allowed: list[str] = []
    if config is not None:
        imports = load_engine("train").load_config(config).get("custom_imports", {}).get("imports", [])
        allowed = [imports] if isinstance(imports, str) else list(imports)

    def build(part: dict[str, Any], imports: list[str]) -> Any:
        try:
            engine = load_engine("train")
        except PluginError as error:
            raise PluginError(f"this checkpoint's network comes from a training config: {error}") from None
        return engine.build_network(part, imports, allowed)

    return build
