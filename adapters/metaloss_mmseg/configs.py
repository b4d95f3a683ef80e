"""Finds an MMSegmentation config and makes its model ready to learn from fused images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import mmseg
from mmengine.config import Config, ConfigDict

from metaloss.errors import ConfigError, nearest

PREFIX = "mmseg::"


def load_config(config: str | os.PathLike[str] | Config) -> Config:
    """Reads a config from a file, by an ``mmseg::`` name, or takes it as it is.

    ``mmseg::`` names are looked up in the installed package's own files: MMEngine would look for a
    distribution named ``mmsegmentation`` and may install it over the one that is there.

    Raises:
        ConfigError: no such file or name, or not a segmentation config.
    """
    if isinstance(config, Config):
        loaded = config
    else:
        path = _named(str(config)) if str(config).startswith(PREFIX) else Path(config)
        if not path.is_file():
            raise ConfigError(
                f"config {str(config)!r}: no such file; give a file, or a name as {PREFIX}segformer/...py"
            )
        loaded = _read(path)
    if "model" not in loaded:
        raise ConfigError(
            f"config {getattr(loaded, 'filename', config)!r} defines no `model`: expected MMSegmentation's"
        )
    return loaded


def _folder() -> Path:
    return Path(mmseg.__path__[0]) / ".mim" / "configs"


def _named(name: str) -> Path:
    relative = name.removeprefix(PREFIX)
    path = _folder() / relative
    path = path if path.suffix == ".py" else path.with_name(path.name + ".py")
    if not path.is_file():
        known = [str(file.relative_to(_folder())) for file in _folder().glob("*/*.py")]
        raise ConfigError(f"no MMSegmentation config {relative!r}{nearest(relative, known)} in {_folder()}")
    return path


def _read(path: Path) -> Config:
    try:
        return Config.fromfile(path)
    except ModuleNotFoundError as error:
        if "mmseg" not in str(error):
            raise
        raise ConfigError(
            f"config {path}: a `_base_ = '{PREFIX}...'` in it needs a distribution named mmsegmentation, and the one "
            f"installed goes by another name: write the path instead, {_folder()}/..."
        ) from error


def model_config(config: Config, num_classes: int) -> ConfigDict:
    """The model part: with this number of classes, and without weights from the network.

    Args:
        config: a whole config.
        num_classes: classes to tell apart, background included.

    Returns:
        A copy that ``mmseg.registry.MODELS`` can build.
    """
    model = Config({"model": config.model.to_dict()})._cfg_dict.model
    if "data_preprocessor" not in model and "data_preprocessor" in config:
        model.data_preprocessor = config.data_preprocessor
    _without_downloads(model)
    _without_weights_of_other_classes(model, num_classes)
    for head in ("decode_head", "auxiliary_head"):
        parts = model.get(head) or []
        for part in parts if isinstance(parts, list) else [parts]:
            part.num_classes = num_classes
            if part.get("out_channels") not in (None, 1):
                part.out_channels = num_classes
    return model


def _without_downloads(part: Any) -> None:
    if isinstance(part, dict):
        if isinstance(part.get("init_cfg"), dict) and part["init_cfg"].get("type") == "Pretrained":
            part["init_cfg"] = None
        if "pretrained" in part:
            part["pretrained"] = None
        for value in part.values():
            _without_downloads(value)
    elif isinstance(part, (list, tuple)):
        for value in part:
            _without_downloads(value)


def _without_weights_of_other_classes(part: Any, num_classes: int) -> None:
    """Drops the losses' ``class_weight`` where they are the weights of the config's own classes."""
    if isinstance(part, dict):
        if isinstance(part.get("class_weight"), (list, tuple)) and len(part["class_weight"]) != num_classes:
            part["class_weight"] = None
        part = list(part.values())
    if isinstance(part, (list, tuple)):
        for value in part:
            _without_weights_of_other_classes(value, num_classes)
