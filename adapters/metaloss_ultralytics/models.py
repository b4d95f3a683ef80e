"""Builds a detector from ultralytics' model files, and reads its weight files without ever running code from them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from metaloss_frameworks.quiet import quiet
from metaloss_frameworks.weights import take_weights
from torch import Tensor, nn

from metaloss.checkpoint import load
from metaloss.errors import CheckpointError, ConfigError, nearest
from metaloss_ultralytics.framework import DEFAULT_CFG, Detect, DetectionModel, get_cfg, ultralytics, yaml_model_load


def build_detector(model: str | os.PathLike[str], classes: Sequence[str]) -> nn.Module:
    """Builds a detector with fresh weights.

    Args:
        model: a model file, or the name of one that ultralytics brings, ``"yolov8n.yaml"`` say.
        classes: the names of the classes.

    Raises:
        ConfigError: no such model, or one that does not detect boxes.
    """
    path = _find(str(model))
    with quiet():
        try:
            detector: nn.Module = DetectionModel(yaml_model_load(path), ch=3, nc=len(classes), verbose=False)
        except Exception as error:  # a model file that cannot be built raises nearly anything
            raise ConfigError(f"model {model}: cannot be built ({type(error).__name__}: {error})") from error
    head = type(detector.model[-1])
    if head is not Detect:
        raise ConfigError(f"model {model}: its head is a {head.__name__}; expected a box detector's, Detect")
    detector.args = get_cfg(DEFAULT_CFG)  # the gains of the loss
    detector.names = dict(enumerate(classes))
    return detector


def _find(model: str) -> str:
    if Path(model).suffix == ".pt":
        raise ConfigError(f"model {model!r} is a weight file: give model='yolov8n.yaml' and checkpoint={model!r}")
    if Path(model).is_file():
        return model
    folder = Path(ultralytics.__path__[0], "cfg", "models")
    known = {file.name for file in folder.rglob("*.yaml")}
    sized = re.sub(r"(\d+)[nslmx](.+)?$", r"\1\2", model)  # yolov8n.yaml is yolov8.yaml at the scale n
    if model not in known and sized not in known:
        sizes = sorted(known | {re.sub(r"(\d+)(.+)?$", r"\1n\2", name) for name in known})
        raise ConfigError(f"model {model!r}: no such file, nor one that ultralytics brings{nearest(model, sizes)}")
    return model


def load_weights(detector: nn.Module, path: str | os.PathLike[str]) -> None:
    """Loads a local weight file: ultralytics' own ``.pt``, or plain tensors by name.

    Args:
        detector: what gets the weights.
        path: the file; entries of another name or shape are left out, with a warning.

    Raises:
        CheckpointError: unreadable, or nothing in it fits.
    """
    content = _read(path)
    model = content.get("ema") or content.get("model") or content
    state = _tensors(model) if isinstance(model, _Part) else model
    if not isinstance(state, Mapping):
        raise CheckpointError(f"{path}: holds no network; expected a weight file of ultralytics, or tensors by name")
    take_weights(detector, {name: value.float() for name, value in state.items() if isinstance(value, Tensor)}, path)


class _Part:
    """Stands for an object of a class in a file; holds its attributes, and does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass


def _read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads a file in which ultralytics left whole objects: an inert part takes the place of every class."""
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # no such file, or none of torch's: said by what reads it
        names = []
    parts = [type(name.rpartition(".")[2], (_Part,), {"__module__": name.rpartition(".")[0]}) for name in names]
    with torch.serialization.safe_globals(parts):
        return load(path)


def _tensors(part: _Part, prefix: str = "") -> dict[str, Tensor]:
    """The parameters and buffers of a module that was read in parts, by name."""
    found: dict[str, Tensor] = {}
    for kind in ("_parameters", "_buffers"):
        for name, value in vars(part).get(kind, {}).items():
            if isinstance(value, Tensor):
                found[prefix + name] = value.detach()
    for name, child in vars(part).get("_modules", {}).items():
        if isinstance(child, _Part):
            found |= _tensors(child, f"{prefix}{name}.")
    return found
