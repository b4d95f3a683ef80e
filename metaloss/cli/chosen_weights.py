"""Which weights, and which network for them, a command line asks for."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from torch import nn

from metaloss.cli.engine import builder
from metaloss.cli.script import build_from_script, check_script, is_script
from metaloss.errors import CheckpointError, ConfigError, nearest
from metaloss.inference.pretrained import DEFAULT, card_of, shipped_file, shipped_weights
from metaloss.networks.spec import source_count
from metaloss.plugins import PublishedNetwork, find
from metaloss.plugins.loading import load
from metaloss.plugins.weights import build_fusion, load_fusion


@dataclass(frozen=True)
class ChosenWeights:
    """The files of a network's weights.

    Attributes:
        files: one, or several that hold its parts.
        network: its name, ``NAME:ARGUMENT=VALUE,...`` or ``FILE.py:FUNCTION``; ``None``: what the files say or fit.
        shipped: the names of those that come with the package.
    """

    files: tuple[Path, ...]
    network: str | None = None
    shipped: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " and ".join(map(str, self.files))

    def load(self, config: str | None, count: int | None = None) -> nn.Module:
        """Loads the network.

        Args:
            config: the training config whose imports are allowed, or ``None``.
            count: of the sources that it is to fuse; ``None``: as many as it takes.

        Raises:
            CheckpointError: the weights cannot be read, are another network's, or of another number of sources.
        """
        if self.network is None:
            network = load_fusion(self.files, builder(config))
        elif is_script(self.network):
            network = load(self.files, fusion=build_from_script(self.network, "--network"))
        else:
            name, arguments = _name_and_arguments(self.network)
            network = build_fusion(name, weights=self.files, **arguments)
        expected = source_count(network)
        if count is not None and expected is not None and expected != count:
            raise CheckpointError(
                f"{self}: was trained on {expected} sources, and {count} are given (patterns are to be quoted)"
            )
        return network

    def announce(self, network: nn.Module, method: str | None = None) -> None:
        """Says which weights these are, where they come with the package, and what of the network no file tells.

        Args:
            network: as it was loaded.
            method: its name among several.
        """
        before, of_method = ("", "") if method is None else (f"{method}: ", f" {method}=NETWORK")
        for name in self.shipped:
            typer.echo(f"{before}{_words(name)}")
        settings = _settings_of(network)
        if settings:
            typer.echo(f"{before}network: {settings}; --network{of_method} takes it in another form")


def choose(weights: Sequence[Path], network: str | None, option: str = "--weights ") -> ChosenWeights:
    """Checks what ``--weights`` and ``--network`` name, before anything is loaded.

    Args:
        weights: files, or names of those that come with the package.
        network: as ``--network`` takes it.
        option: what stands before the weights on the command line.

    Raises:
        ConfigError: weights are missing, and none come with the package for this network; or arguments of the network
            that cannot be read.
        CheckpointError: there is no such file.
        PluginError: there is no such network.
    """
    known = shipped_weights()
    if not weights:
        if network is not None or DEFAULT not in known:
            raise ConfigError(f"--weights is missing: {_where_they_are(network)}")
        return ChosenWeights((known[DEFAULT],), shipped=(DEFAULT,))
    shipped = tuple(str(given) for given in weights if not given.is_file() and str(given) in known)
    for given in weights:
        if not given.is_file() and str(given) not in known:
            raise CheckpointError(f"{option}{given}: no such file{nearest(str(given), known)}")
    if network is not None and is_script(network):
        check_script(network, "--network")
    elif network is not None:
        find("fusion_networks", _name_and_arguments(network)[0])
    files = tuple(known[str(given)] if str(given) in shipped else given for given in weights)
    return ChosenWeights(files, network, shipped)


def _name_and_arguments(text: str) -> tuple[str, dict[str, Any]]:
    """Reads ``NAME`` or ``NAME:ARGUMENT=VALUE,...``."""
    name, colon, rest = text.partition(":")
    arguments: dict[str, Any] = {}
    for part in rest.split(",") if colon else ():
        argument, equals, value = map(str.strip, part.partition("="))
        if not equals or not argument.isidentifier() or not value:
            raise ConfigError(f"--network {text}: expected NAME, NAME:ARGUMENT=VALUE,... or FILE.py:FUNCTION")
        try:
            arguments[argument] = ast.literal_eval(value.title() if value in ("true", "false") else value)
        except (ValueError, SyntaxError):
            arguments[argument] = value
    return name, arguments


def _settings_of(network: nn.Module) -> str:
    """The arguments of a published network that its weights do not tell; empty where it has none."""
    built = getattr(network, "metaloss_record", {})
    record = find("fusion_networks", built["name"]) if "name" in built else None
    if not isinstance(record, PublishedNetwork):
        return ""
    signature = record.signature()
    known = {name: each.default for name, each in signature.parameters.items()} if signature else {}
    known |= built["arguments"]
    told_by_names = ("shared_encoder", True)
    told = [f"{name}={value}" for name, value in known.items() if name != "sources" and (name, value) != told_by_names]
    return f"{record.name}:{','.join(told)}" if told else ""


def _words(name: str) -> str:
    file = shipped_file(name)
    card = card_of(file)
    return f"weights: {name}, which come with metaloss: {file}{f', and {card.name} about them' if card else ''}"


def _where_they_are(network: str | None) -> str:
    if network is not None and is_script(network):
        return f"give the file with the weights of the network that {network} builds"
    record = None if network is None else find("fusion_networks", _name_and_arguments(network)[0])
    if not isinstance(record, PublishedNetwork) or not record.weights:
        return "give a checkpoint, or a file that the authors of a network have published"
    return f"give a checkpoint, or what the authors have published ({record.weights}; {record.repository})"
