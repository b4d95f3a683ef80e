"""Finds an MMSegmentation config and makes its model ready to learn from fused images."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import mmseg
from metaloss_frameworks.openmmlab import configs
from metaloss_frameworks.openmmlab.configs import Package
from mmengine.config import Config, ConfigDict

from metaloss.errors import ConfigError
from metaloss.plugins import install_hint

MMSEG = Package(
    title="MMSegmentation",
    module="mmseg",
    distribution="mmsegmentation",
    folder=Path(mmseg.__path__[0]),
    example="segformer/...py",
)
_OTHER_CLASSES = ("STDCHead",)  # tells outlines from the rest


def load_config(config: str | os.PathLike[str] | Config) -> Config:
    """Reads a config from a file, by an ``mmseg::`` name, or takes it as it is.

    Raises:
        ConfigError: no such file or name, or not a segmentation config.
    """
    return configs.load_config(MMSEG, config)


def model_config(config: Config, num_classes: int) -> ConfigDict:
    """The model part: with this number of classes in every head, and without weights from the network.

    Args:
        config: a whole config.
        num_classes: classes to tell apart, background included.

    Returns:
        A copy that ``mmseg.registry.MODELS`` can build.

    Raises:
        ConfigError: parts of MMDetection in the model, which is not installed, or a model that learns something else
            than class ids.
    """
    _check_kind(config)
    model = configs.own_model(config)
    _check_parts(config, model)
    configs.drop_synchronisation(model)
    for name in ("decode_head", "auxiliary_head"):
        heads = model.get(name) or []
        for head in heads if isinstance(heads, list) else [heads]:
            for part in [part for part in configs.parts(head) if "num_classes" in part] or [head]:
                _set_classes(part, num_classes)
    configs.drop_class_weights(model, num_classes, num_classes + 1)
    return model


def _check_kind(config: Config) -> None:
    model = config.model
    if str(model.get("type")).endswith("DepthEstimator"):
        raise ConfigError(
            f"{configs.name_of(config)}: its {model.type} estimates depth, and targets are class ids: give a "
            "segmentation network's config"
        )
    if any("text_encoder" in part for part in configs.parts(model)):
        raise ConfigError(
            f"{configs.name_of(config)}: its {model.type} matches images with texts by CLIP's weights, which are not "
            "downloaded: give the config of a network that has classes of its own"
        )


def _check_parts(config: Config, model: ConfigDict) -> None:
    wanted = [str(part["type"]) for part in configs.parts(model) if str(part.get("type")).startswith("mmdet.")]
    if wanted and importlib.util.find_spec("mmdet") is None:
        raise ConfigError(
            f"config {config.filename!r}: its model has {wanted[0]}, a part of MMDetection, which is not installed: "
            f"{install_hint(('mmdet',))}"
        )


def _set_classes(head: ConfigDict, num_classes: int) -> None:
    if str(head.get("type")).rpartition(".")[2] in _OTHER_CLASSES:
        return
    before = head.get("num_classes")
    head.num_classes = num_classes
    if before is None:
        return
    if head.get("out_channels") == before:  # elsewhere a width
        head.out_channels = num_classes
    loss = head.get("loss_cls")
    weights = loss.get("class_weight") if isinstance(loss, dict) else None
    if isinstance(weights, (list, tuple)) and len(weights) == before + 1 != num_classes + 1:
        loss.class_weight = [1.0] * num_classes + [weights[-1]]  # the last is "none of them"
