"""Finds a config of one of OpenMMLab's packages, and makes its model ready to learn from fused images."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from metaloss.errors import ConfigError, nearest


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
        return Config.fromfile(path)
    except ModuleNotFoundError as error:
        if error.name is not None:  # a module that the config imports
            raise
        if package.module not in str(error):
            raise ConfigError(f"config {path}: a `_base_` in it is another package's: {error}") from error
        raise ConfigError(
            f"config {path}: a `_base_ = '{package.module}::...'` in it needs a distribution named "
            f"{package.distribution}, and the one installed goes by another name: write the path instead, "
            f"{package.configs}/..."
        ) from error


def own_model(config: Config) -> ConfigDict:
    """Copies the model part, without weights from the network.

    Args:
        config: a whole config.

    Returns:
        What the package's ``MODELS`` can build.
    """
    model = Config({"model": config.model.to_dict()})._cfg_dict.model
    if "data_preprocessor" not in model and "data_preprocessor" in config:
        model.data_preprocessor = config.data_preprocessor
    for part in parts(model):
        if isinstance(part.get("init_cfg"), dict) and part["init_cfg"].get("type") == "Pretrained":
            part["init_cfg"] = None
        if "pretrained" in part:
            part["pretrained"] = None
    return model


def drop_class_weights(model: ConfigDict, *counts: int) -> None:
    """Drops the losses' ``class_weight`` where they are the weights of the config's own classes.

    Args:
        model: changed in place.
        counts: how many weights there may be.
    """
    for part in parts(model):
        if isinstance(part.get("class_weight"), (list, tuple)) and len(part["class_weight"]) not in counts:
            part["class_weight"] = None


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
