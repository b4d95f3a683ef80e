"""Builds a detector from ultralytics' model files, and reads its weight files without ever running code from them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from metaloss_frameworks.framework_call import framework_call
from metaloss_frameworks.quiet import quiet
from metaloss_frameworks.weights import take_weights
from torch import Tensor, nn

from metaloss.errors import CheckpointError, ConfigError, nearest
from metaloss.runtime.files import load
from metaloss_ultralytics.framework import (
    DEFAULT_CFG,
    DetectionModel,
    RTDETRDetectionModel,
    get_cfg,
    ultralytics,
    yaml_model_load,
)

_DETECTORS = {"Detect": DetectionModel, "v10Detect": DetectionModel, "RTDETRDecoder": RTDETRDetectionModel}  # by head
_SIZED = r"(\d+)[nslmx](.+)?$"  # yolov8n.yaml is yolov8.yaml at the scale n
_EXAMPLE = "yolo11n.yaml"


def build_detector(model: str | os.PathLike[str], classes: Sequence[str]) -> nn.Module:
    """Builds a detector with fresh weights.

    Args:
        model: a model file, or the name of one that ultralytics brings, ``"yolov8n.yaml"`` say.
        classes: the names of the classes.

    Raises:
        ConfigError: no such model, or one that does not detect boxes.
    """
    path = _find(str(model))
    advice = f"give a box detector's model file, {_EXAMPLE!r} say"
    with quiet(), framework_call(f"model {str(model)!r}", "be built", advice=advice):
        config = yaml_model_load(path)
        head = str(config["head"][-1][2]).rpartition(".")[2]
        if head not in _DETECTORS:
            raise ConfigError(
                f"model {str(model)!r} has the head {head}; expected a box detector's, {', '.join(_DETECTORS)}: "
                f"take model={_boxes_alone(Path(model).name)!r}"
            )
        detector: nn.Module = _DETECTORS[head](config, ch=3, nc=len(classes), verbose=False)
    detector.args = get_cfg(DEFAULT_CFG)  # the gains of the loss
    detector.names = dict(enumerate(classes))
    detector.nc = len(classes)  # RT-DETR's loss asks for it
    return detector


def _boxes_alone(name: str) -> str:
    """The name of the nearest model that detects boxes: that of another head's, or of an open vocabulary's."""
    plain = re.sub(r"^yoloe-(v?)", r"yolo\1", Path(name).stem)
    plain = re.sub(r"-(seg|pose|obb|cls|sem|depth|world(v2)?)(?=-|$)", "", plain)
    plain = re.sub(r"-resnet\d+$", "", plain) + ".yaml"
    return plain if _is_known(plain) else _EXAMPLE


def _is_known(name: str) -> bool:
    return name in _known() or re.sub(_SIZED, r"\1\2", name) in _known()


def _known() -> set[str]:
    return {file.name for file in Path(ultralytics.__path__[0], "cfg", "models").rglob("*.yaml")}


def _find(model: str) -> str:
    if Path(model).suffix == ".pt":
        raise ConfigError(f"model {model!r} is a weight file: give model='yolov8n.yaml' and checkpoint={model!r}")
    if Path(model).is_file():
        return model
    if not _is_known(model):
        sizes = sorted(_known() | {re.sub(r"(\d+)(.+)?$", r"\1n\2", name) for name in _known()})
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
