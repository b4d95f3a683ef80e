"""What several commands say alike about configs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from metaloss.configs import shipped_configs
from metaloss.errors import ConfigError

if TYPE_CHECKING:
    import torch

_NAME = "--cfg-options"
CFG_OPTIONS: Any = typer.Option(
    [], _NAME, metavar="KEY=VALUE...", help="Override settings of the config: one or several, and may be repeated."
)

DEVICE: Any = typer.Option(
    None,
    "--device",
    metavar="NAME",
    help="Where networks run: cpu, cuda, cuda:1 ...; default: the GPU where there is one.",
)
SEED: Any = typer.Option(None, "--seed", min=0, metavar="NUMBER", help="Of all that is drawn; default: the config's.")
RANGE: Any = typer.Option(
    [],
    "--range",
    metavar="[SOURCE=]RANGE",
    help="Which of the files' numbers become black and white: full, data (each image's minimum and maximum), LOW,HIGH, "
    "or percentiles,1,99. For all sources, or, repeated, for each by name or position: ir=7000,9000.",
)

SIZE_OF: Any = typer.Option(
    None,
    "--size-of",
    metavar="SOURCE",
    help="Resize the images of a scene to those of this source, by name or position from 0: for sources that are "
    "registered at several sizes; default: they have one size.",
)


def config_names(incomplete: str) -> list[str]:
    """The shipped configs whose names begin so, for a shell to complete; of a path it completes the files itself."""
    return [name for name in shipped_configs() if name.startswith(incomplete)]


def device_of(name: str | None) -> torch.device:
    """The device that ``--device`` names; without it the GPU where there is one, else the CPU.

    Raises:
        ConfigError: there is no such device.
    """
    from metaloss.inference.devices import best_device, device_named

    try:
        return best_device() if name is None else device_named(name)
    except ConfigError as error:
        raise ConfigError(f"--device: {error}") from None


def spread(arguments: Sequence[str]) -> list[str]:
    """Gives every ``KEY=VALUE`` after ``--cfg-options`` the option's name, as the parser takes one value per name.

    Args:
        arguments: ``--cfg-options a=1 b=2 CONFIG``, say.

    Returns:
        ``--cfg-options a=1 --cfg-options b=2 CONFIG``.
    """
    spread: list[str] = []
    follows = False
    for number, argument in enumerate(arguments):
        if argument == "--":
            return [*spread, *arguments[number:]]
        setting = re.match(r"[A-Za-z_][\w.]*=", argument) is not None
        if follows and setting and spread[-1] != _NAME:
            spread.append(_NAME)
        follows = (follows and setting) or argument == _NAME or argument.startswith(f"{_NAME}=")
        spread.append(argument)
    return spread


def ranges_given(texts: Sequence[str]) -> Any:
    """Reads ``--range RANGE``, or ``--range SOURCE=RANGE`` several times, as a data set takes it.

    Raises:
        ConfigError: both forms, or one of them too often.
    """
    named = [text.partition("=") for text in texts]
    if len(texts) == 1 and not named[0][1]:
        return texts[0]
    whole = [text for text, equals, _ in named if not equals]
    names = [name for name, equals, _ in named if equals]
    if whole or len(set(names)) < len(names):
        raise ConfigError("give one RANGE for all sources, or SOURCE=RANGE once for each")
    return {name: value for name, _, value in named}


def folder_of(config: str) -> Path:
    """What is left behind of a config goes into a folder of its folder's and its own name.

    Args:
        config: a path, or the name of a shipped config.

    Returns:
        ``tdfusion/segformer_synthetic``, relative.
    """
    path = Path(config).resolve()
    return Path(path.parent.name, path.stem)
