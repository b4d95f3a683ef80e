"""Finds an MMSegmentation config and makes its model ready to learn from fused images."""

from __future__ import annotations

import os
from pathlib import Path

import mmseg
from metaloss_frameworks.openmmlab import configs
from metaloss_frameworks.openmmlab.configs import Package
from mmengine.config import Config, ConfigDict

MMSEG = Package(
    title="MMSegmentation",
    module="mmseg",
    distribution="mmsegmentation",
    folder=Path(mmseg.__path__[0]),
    example="segformer/...py",
)


def load_config(config: str | os.PathLike[str] | Config) -> Config:
    """Reads a config from a file, by an ``mmseg::`` name, or takes it as it is.

    Raises:
        ConfigError: no such file or name, or not a segmentation config.
    """
    return configs.load_config(MMSEG, config)


def model_config(config: Config, num_classes: int) -> ConfigDict:
    """The model part: with this number of classes, and without weights from the network.

    Args:
        config: a whole config.
        num_classes: classes to tell apart, background included.

    Returns:
        A copy that ``mmseg.registry.MODELS`` can build.
    """
    model = configs.own_model(config)
    configs.drop_class_weights(model, num_classes)
    for head in ("decode_head", "auxiliary_head"):
        parts = model.get(head) or []
        for part in parts if isinstance(parts, list) else [parts]:
            part.num_classes = num_classes
            if part.get("out_channels") not in (None, 1):
                part.out_channels = num_classes
    return model
