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
