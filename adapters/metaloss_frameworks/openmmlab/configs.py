"""Finds a config of one of OpenMMLab's packages, and makes its model ready to learn from fused images."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict

from metaloss.errors import ConfigError, nearest
from metaloss_frameworks.framework_call import framework_call

# where mmengine's loader fetches files from: "https://...", "torchvision://resnet50", "openmmlab://..."
_ADDRESS = re.compile(r"[\w+.-]+://")


@dataclass(frozen=True)
class Package:
    """One of OpenMMLab's packages.

    Attributes:
        title: its name in messages.
        module: as it is imported, ``"mmseg"``; the prefix of its configs' names.
        distribution: the one that MMEngine looks for, ``"mmsegmentation"``.
        folder: of the installed module.
        example: a config's name, without the prefix.
    """

    title: str
    module: str
    distribution: str
    folder: Path
    example: str

    @property
    def configs(self) -> Path:
        """Where its configs lie."""
        return self.folder / ".mim" / "configs"


def load_config(package: Package, config: str | os.PathLike[str] | Config) -> Config:
    """Reads a config from a file, by a name such as ``mmseg::...``, or takes it as it is.

    Names are looked up in the installed package's own files: MMEngine would look for a distribution
    of another name and may install it over the one that is there.

    Raises:
        ConfigError: no such file or name, or no model in the config.
    """
    prefix = f"{package.module}::"
    if isinstance(config, Config):
        loaded = config
    else:
        named = str(config).startswith(prefix)
        path = _named(package, str(config).removeprefix(prefix)) if named else Path(config)
        if not path.is_file():
            raise ConfigError(
                f"config {str(config)!r}: no such file; give a file, or a name as {prefix}{package.example}"
            )
        loaded = _read(package, path)
    if "model" not in loaded:
        raise ConfigError(
            f"config {getattr(loaded, 'filename', config)!r} defines no `model`: expected {package.title}'s"
        )
    return loaded


def _named(package: Package, relative: str) -> Path:
    path = package.configs / relative
    path = path if path.suffix == ".py" else path.with_name(path.name + ".py")
    if not path.is_file():
        known = [str(file.relative_to(package.configs)) for file in package.configs.glob("*/*.py")]
        raise ConfigError(f"no {package.title} config {relative!r}{nearest(relative, known)} in {package.configs}")
    return path


def _read(package: Package, path: Path) -> Config:
    try:
        with framework_call(name_of(path), "be read"):
            return Config.fromfile(path)
    except ConfigError as error:
        cause = error.__cause__
        if not isinstance(cause, ModuleNotFoundError) or cause.name is not None:
            raise
        if package.module not in str(cause):
            raise ConfigError(f"config {path}: a `_base_` in it is another package's: {cause}") from cause
        raise ConfigError(
            f"config {path}: a `_base_ = '{package.module}::...'` in it needs a distribution named "
            f"{package.distribution}, and the one installed goes by another name: write the path instead, "
            f"{package.configs}/..."
        ) from cause


def name_of(config: str | os.PathLike[str] | Config) -> str:
    """What a config is called in messages: ``"config 'yolox/...py'"``."""
    path = str((config.filename or "without a file") if isinstance(config, Config) else config)
    named = re.sub(r"^.*/(\w+)/\.mim/configs/", r"\1::", path)
    return f"config {named!r}"


def own_model(config: Config) -> ConfigDict:
    """Copies the model part, without weights from the network.

    Args:
        config: a whole config.

    Returns:
        What the package's ``MODELS`` can build; it opens no connection.

    Raises:
        ConfigError: a part of it has an address that cannot be left out.
    """
    model = Config({"model": config.model.to_dict()})._cfg_dict.model
    if "data_preprocessor" not in model and "data_preprocessor" in config:
        model.data_preprocessor = config.data_preprocessor
    for part in parts(model):
        _drop_weights(part)
        _check_addresses(config, part)
    return model


def _drop_weights(part: dict[str, Any]) -> None:
    """Leaves out what a part would be initialised with."""
    initial = part.get("init_cfg")
    if isinstance(initial, (list, tuple)):
        part["init_cfg"] = [each for each in initial if not _is_pretrained(each)]
    elif _is_pretrained(initial):
        part["init_cfg"] = None
    if "pretrained" in part or str(part.get("type")).endswith("TIMMBackbone"):  # it fetches weights unless told
        part["pretrained"] = False if part.get("pretrained", True) is True else None
    for key in [key for key in part if str(key).endswith(("checkpoint", "ckpt"))]:
        part[key] = None


def _is_pretrained(initial: Any) -> bool:
    return isinstance(initial, dict) and (initial.get("type") == "Pretrained" or "checkpoint" in initial)


def _check_addresses(config: Config, part: dict[str, Any]) -> None:
    for key, value in part.items():
        if isinstance(value, str) and _ADDRESS.match(value):
            raise ConfigError(
                f"{name_of(config)}: {key!r} of a {part.get('type', 'part')} in its model is {value!r}, and nothing is "
                "downloaded: write the path of a local copy there"
            )


def takes(made: Any, name: str) -> bool:
    """Whether a class, or what it inherits from, has an argument of this name."""
    return isinstance(made, type) and any(
        name in inspect.signature(each.__init__).parameters for each in made.__mro__ if "__init__" in vars(each)
    )


def drop_class_weights(model: ConfigDict, *counts: int) -> None:
    """Drops the losses' ``class_weight`` where they are the weights of the config's own classes.

    Args:
        model: changed in place.
        counts: how many weights there may be.
    """
    for part in parts(model):
        if isinstance(part.get("class_weight"), (list, tuple)) and len(part["class_weight"]) not in counts:
            part["class_weight"] = None


def drop_synchronisation(model: ConfigDict) -> None:
    """Writes plain batch norm for mmcv's synchronised one, which cannot even be built in a single process.

    Args:
        model: changed in place.
    """
    if torch.distributed.is_initialized():
        return
    for part in parts(model):
        if part.get("type") == "MMSyncBN":
            part["type"] = "BN"


def parts(config: Any, *, without: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    """Walks over every dict in a config, the outer ones first.

    Args:
        config: a dict, a list of such, or a value.
        without: keys under which not to look.
    """
    if isinstance(config, dict):
        yield config
        config = [value for key, value in config.items() if key not in without]
    if isinstance(config, (list, tuple)):
        for value in config:
            yield from parts(value, without=without)
