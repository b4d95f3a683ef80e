"""What a plug-in hands over: a named factory."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from metaloss.errors import PluginError


@dataclass(frozen=True)
class Record:
    """One task, network, loss generator or hypergradient method under its name.

    Attributes:
        name: how users ask for it.
        factory: makes it from keyword arguments; a callable, or ``"module:attribute"``, imported
            when first used. A hypergradient's factory is the method itself:
            ``(problem, meta_train, meta_test) -> MetaGradient``.
        requires: modules that must be importable, ``"mmseg"`` say.
        description: one line for ``metaloss list``.
    """

    name: str
    factory: Callable[..., Any] | str
    requires: tuple[str, ...] = ()
    description: str = ""

    def missing(self) -> tuple[str, ...]:
        """The required modules that are not installed; nothing is imported to find out."""
        return tuple(name for name in self.requires if not _installed(name))

    def load(self) -> Callable[..., Any]:
        """Gives the factory, imported now if it was named.

        Raises:
            PluginError: a required module is not installed, or the import fails.
        """
        missing = self.missing()
        if missing:
            raise PluginError(f"{self.name!r} needs {', '.join(missing)}, not installed: {install_hint(missing)}")
        if callable(self.factory):
            return self.factory
        module, _, attribute = self.factory.partition(":")
        try:
            loaded: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise PluginError(f"{self.name!r} cannot be imported from {self.factory}: {error}") from error
        return loaded


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # its parent is missing, or a half-imported module lies in sys.modules
        return False


def install_hint(modules: tuple[str, ...]) -> str:
    """Says how to install missing modules: by metaloss's extra of that name, where there is one."""
    try:
        extras = set(importlib.metadata.metadata("metaloss").get_all("Provides-Extra") or ())
    except importlib.metadata.PackageNotFoundError:
        extras = set()
    wanted = [f"'metaloss[{name}]'" if name in extras else name for name in modules]
    return f"pip install {' '.join(wanted)}"
