"""Finds an MMDetection config and makes its model ready to learn from fused images."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from metaloss_frameworks.openmmlab import configs
from metaloss_frameworks.openmmlab.configs import Package
from mmengine.config import Config, ConfigDict

from metaloss.errors import ConfigError
from metaloss_mmdet.framework import MODELS
from metaloss_mmdet.kinds import check_kind

_FOUND = importlib.util.find_spec("mmdet")
MMDET = Package(
    title="MMDetection",
    module="mmdet",
    distribution="mmdet",
    folder=Path(*(_FOUND.submodule_search_locations or ()) if _FOUND else ()),
    example="yolox/...py",
)
STRIDE = 32
# what has a number of classes of its own: of the images that a backbone learnt from, and object or not
_OTHER_CLASSES = ("backbone", "rpn_head")


def load_config(config: str | os.PathLike[str] | Config) -> Config:
    """Reads a config from a file, by an ``mmdet::`` name, or takes it as it is.

    Raises:
        ConfigError: no such file or name, or not a detection config.
    """
    return configs.load_config(MMDET, config)


def model_config(config: Config, num_classes: int) -> ConfigDict:
    """The model part: with this number of classes in every head, and without weights from the network.

    The preprocessor's augmentations of whole batches are left out: YOLOX would resize at random
    what the fusion network made. Where its divisor is 1, because the config's own pipeline makes all
    images one size (RTMDet), it becomes 32, the largest stride of common backbones.

    Args:
        config: a whole config.
        num_classes: kinds of object to tell apart.

    Returns:
        A copy that ``mmdet.registry.MODELS`` can build.

    Raises:
        ConfigError: a model that learns from more than boxes, or of which no part has classes.
    """
    check_kind(configs.name_of(config), config.model, num_classes)
    model = configs.own_model(config)
    configs.drop_class_weights(model, num_classes, num_classes + 1)
    configs.drop_synchronisation(model)
    heads = [part for part in configs.parts(model, without=_OTHER_CLASSES) if "num_classes" in part]
    if not heads:
        raise ConfigError(
            f"{configs.name_of(config)}: no head of its model says num_classes: a {model.type} without it tells no "
            "kinds of boxes apart; give a box detector's config"
        )
    for head in heads:
        head["num_classes"] = num_classes
    if configs.takes(MODELS.get(model.type), "data_preprocessor"):
        preprocessor = model.setdefault("data_preprocessor", ConfigDict(type="DetDataPreprocessor"))
        preprocessor.pop("batch_augments", None)
        padded = configs.takes(MODELS.get(preprocessor.type), "pad_size_divisor")
        if padded and preprocessor.get("pad_size_divisor", 1) == 1:
            preprocessor["pad_size_divisor"] = STRIDE
    return model
