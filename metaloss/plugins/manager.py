"""The one plug-in manager: built-ins, installed entry points, and what a script registers."""

from __future__ import annotations

import importlib.metadata
import os
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import pluggy

from metaloss.errors import PluginError, nearest
from metaloss.plugins import builtin, hookspecs
from metaloss.plugins.records import Record

if TYPE_CHECKING:
    from torch import nn

Kind = Literal["tasks", "fusion_networks", "loss_generators", "hypergradients"]
GROUP = "metaloss"
_STRICT = "METALOSS_STRICT_PLUGINS"


@dataclass(frozen=True)
class FailedPlugin:
    """An installed plug-in that could not be used.

    Attributes:
        name: of its entry point.
        version: of its distribution.
        error: what went wrong.
    """

    name: str
    version: str
    error: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.error})"


class PluginManager(pluggy.PluginManager):
    """pluggy's manager, which also remembers the plug-ins that failed."""

    def __init__(self) -> None:
        super().__init__("metaloss")
        self.failed: list[FailedPlugin] = []
        self.add_hookspecs(hookspecs)

    def register(self, plugin: Any, name: str | None = None) -> str | None:
        """Registers a plug-in, as pluggy does, and refuses misspelt hooks at once.

        Raises:
            PluginError: a hook that does not exist, or a plug-in registered twice.
        """
        try:
            registered = super().register(plugin, name)
            self.check_pending()
        except pluggy.PluginValidationError as error:
            if self.is_registered(plugin):
                self.unregister(plugin)
            known = [key for key in vars(hookspecs) if key.startswith("metaloss_")]
            wrong = next((key for key in dir(plugin) if key.startswith("metaloss_") and key not in known), "")
            raise PluginError(
                f"plug-in {name or self.get_canonical_name(plugin)}: unknown hook {wrong!r}{nearest(wrong, known)}; "
                f"the hooks are {', '.join(known)}"
                if wrong
                else f"plug-in {name or self.get_canonical_name(plugin)}: {_one_line(str(error))}"
            ) from error
        except ValueError:
            name = name or self.get_canonical_name(plugin)
            other = self.get_name(plugin)
            raise PluginError(
                f"plug-in {plugin!r} is registered already, as {other!r}"
                if other
                else f"plug-in name {name!r} is taken by {self.get_plugin(name)!r}: {plugin!r} needs another"
            ) from None
        return registered

    def load_entry_points(self) -> None:
        """Loads installed plug-ins one by one; a broken one is reported and kills nothing.

        Raises:
            PluginError: with METALOSS_STRICT_PLUGINS=1, at the first broken one.
        """
        for entry in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda entry: entry.name):
            try:
                self.register(entry.load(), name=entry.name)
            except Exception as error:
                self.report(entry.name, entry.dist.version if entry.dist else "unknown version", error)

    def report(self, name: str, version: str, error: Exception) -> None:
        """Notes a plug-in that failed, and warns the first time.

        Raises:
            PluginError: with METALOSS_STRICT_PLUGINS=1.
        """
        reason = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
        failed = FailedPlugin(name, version, _one_line(reason))
        if os.environ.get(_STRICT) == "1":
            raise PluginError(f"plug-in {failed}") from error
        if failed not in self.failed:
            self.failed.append(failed)
            warnings.warn(f"plug-in {failed} is left out", stacklevel=2)


@lru_cache(maxsize=1)
def plugin_manager() -> PluginManager:
    """The one manager; a script may ``register()`` its own plug-in on it at any time."""
    manager = PluginManager()
    manager.register(builtin, name="metaloss")
    manager.load_entry_points()
    return manager


def records(kind: Kind) -> dict[str, Record]:
    """Collects the records of one kind from every plug-in, anew at each call.

    Raises:
        PluginError: two records of one name, naming both plug-ins.
    """
    manager = plugin_manager()
    found: dict[str, Record] = {}
    origin: dict[str, str] = {}
    for implementation in getattr(manager.hook, f"metaloss_{kind}").get_hookimpls():
        plugin = implementation.plugin_name
        try:
            given = list(implementation.function())
            strangers = [record for record in given if not isinstance(record, Record)]
            if strangers:
                raise TypeError(f"metaloss_{kind}() returned {strangers[0]!r}: expected metaloss.plugins.Record")
        except Exception as error:
            manager.report(plugin, _version(plugin), error)
            continue
        for record in given:
            if record.name in found:
                raise PluginError(
                    f"{kind} {record.name!r} is given by the plug-ins {origin[record.name]!r} and {plugin!r}: "
                    "uninstall or rename one"
                )
            found[record.name], origin[record.name] = record, plugin
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _version(plugin: str) -> str:
    for entry in importlib.metadata.entry_points(group=GROUP, name=plugin):
        if entry.dist:
            return entry.dist.version
    return "unknown version"


def find(kind: Kind, name: str) -> Record:
    """Looks a record up.

    Raises:
        PluginError: unknown; the message lists the known ones and the plug-ins that failed.
    """
    known = records(kind)
    if name in known:
        return known[name]
    failed = plugin_manager().failed
    broken = f"; plug-ins that failed to load: {', '.join(map(str, failed))}" if failed else ""
    raise PluginError(
        f"no {kind.replace('_', ' ').removesuffix('s')} {name!r}{nearest(name, known)}: "
        f"choose one of {', '.join(sorted(known))}{broken}"
    )


def build_task(name: str, /, **arguments: Any) -> nn.Module:
    """Builds a task network by name: ``build_task("mmseg", config=..., num_classes=9)``.

    Args:
        name: of a task record.
        arguments: for its factory.

    Returns:
        A task adapter, or a module that is a task.

    Raises:
        PluginError: unknown name, or a framework that is not installed (the message names the extra).
        ConfigError: arguments that its factory does not take.

    Examples:
        >>> import torch
        >>> import metaloss
        >>> task = metaloss.build_task("reconstruction", sources=3)
        >>> len(task.network(torch.rand(1, 1, 16, 16)))
        3
    """
    task: nn.Module = find("tasks", name).build(arguments)
    return task


def build_loss_generator(name: str, /, **arguments: Any) -> nn.Module:
    """Builds a loss generator by name; it remembers its record, so that checkpoints can name it.

    Args:
        name: of a loss generator record.
        arguments: for its factory; plain values, since checkpoints keep them.

    Returns:
        The generator, for ``metaloss.LearnableFusionLoss(generator)``.

    Raises:
        PluginError: unknown name, or a package that is not installed.

    Examples:
        >>> import torch
        >>> import metaloss
        >>> generator = metaloss.build_loss_generator("restormer", sources=2)
        >>> generator(torch.rand(1, 1, 16, 16), torch.rand(1, 1, 16, 16)).sum(1).allclose(torch.ones(1, 16, 16))
        True
    """
    return built_by_name("loss_generators", name, arguments)


def built_by_name(kind: Kind, name: str, arguments: dict[str, Any]) -> nn.Module:
    """Builds a network of a record, which it remembers.

    Args:
        kind: of the record.
        name: of the record.
        arguments: for its factory.

    Raises:
        PluginError: unknown name, or a package that is not installed.
        ConfigError: arguments that its factory does not take.
    """
    network: nn.Module = find(kind, name).build(arguments)
    network.metaloss_record = {"name": name, "arguments": arguments}  # type: ignore[assignment]
    return network
