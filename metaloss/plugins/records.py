"""What a plug-in hands over: a named factory."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaloss.errors import ConfigError, PluginError

if TYPE_CHECKING:
    from torch import Tensor


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
        return self.factory if callable(self.factory) else _imported(self.name, self.factory)

    def signature(self) -> inspect.Signature | None:
        """What the factory takes; ``None`` of one that does not say it."""
        try:
            return inspect.signature(self.load())
        except (TypeError, ValueError):
            return None

    def build(self, arguments: Mapping[str, Any]) -> Any:
        """Calls the factory.

        Raises:
            PluginError: a required module is not installed, or the import fails.
            ConfigError: arguments that it does not take.
        """
        signature = self.signature()
        try:
            known = {} if signature is None else signature.bind(**arguments).signature.parameters
        except TypeError as error:
            raise ConfigError(f"{self.name!r}: {error}; it is called as {self.name}{signature}") from None
        for name, value in arguments.items():
            if name in known and isinstance(known[name].default, bool) and isinstance(value, str):
                raise ConfigError(f"{self.name!r}: {name}={value!r}: expected True or False")
        return self.load()(**arguments)


@dataclass(frozen=True)
class PublishedNetwork(Record):
    """A fusion network that was published with weights, so that a file of its authors can be recognised.

    Attributes:
        paper: authors, title, place and year.
        repository: the authors' own.
        weights: where in it, or where else, weights are published; nothing is ever downloaded.
        data: what those weights have learnt from.
        range: of the sources and of the image inside of the network, and the order of the sources.
        parameters: how many the network has.
        rename: gives the weights of a published file, ``{name: tensor}``, the names that they have in the network; a
            callable or ``"module:attribute"``. ``None`` where the names are the same.
    """

    paper: str = ""
    repository: str = ""
    weights: str = ""
    data: str = ""
    range: str = ""
    parameters: int | None = None
    rename: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] | str | None = None

    def renamed(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Gives the weights of a published file the network's own names.

        Raises:
            PluginError: what renames them cannot be imported.
        """
        if self.rename is None:
            return dict(weights)
        rename = self.rename if callable(self.rename) else _imported(self.name, self.rename)
        names: dict[str, Tensor] = rename(weights)
        return names


def _imported(name: str, place: str) -> Callable[..., Any]:
    module, _, attribute = place.partition(":")
    try:
        loaded: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise PluginError(f"{name!r} cannot be imported from {place}: {error}") from error
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
