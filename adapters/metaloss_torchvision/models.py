"""Builds torchvision's networks by name, without weights from the network, and reads local ones."""

from __future__ import annotations

import inspect
import os
from typing import Any

import torchvision
from metaloss_frameworks.framework_call import framework_call
from metaloss_frameworks.weights import take_weights
from torch import nn
from torchvision import models

from metaloss.errors import ConfigError, nearest
from metaloss.networks.wrappers import plain_names
from metaloss.runtime.files import load

_MORE_THAN_BOXES = {"maskrcnn": "masks", "keypointrcnn": "keypoints"}
# how a file's names begin, and what stands there in the network: of whole networks, then of classifiers' layers
_PREFIXES = (
    ("", ""),
    ("", "backbone."),
    ("", "backbone.body."),
    ("features.", "backbone."),
    ("features.", "backbone.body."),
)
_PLACES = ("model", "state_dict")  # as torchvision's own training writes them, and others


def is_detector(name: str) -> bool:
    """Whether a name is that of a box detector; otherwise it is that of a segmentation network.

    Raises:
        ConfigError: it is neither; what to take instead is said.
    """
    segmentation, detection = (models.list_models(module=part) for part in (models.segmentation, models.detection))
    version = torchvision.__version__.partition("+")[0]
    if name not in segmentation + detection:
        if str(name).endswith((".pth", ".pt")):
            raise ConfigError(f"model={str(name)!r} is a weight file: name the network, and give it as checkpoint=")
        if name in models.list_models(module=models):
            raise ConfigError(
                f"model={name!r} classifies: here are torchvision's segmentation networks and detectors; for a "
                "classifier take build_task('timm', model=..., num_classes=...)"
            )
        raise ConfigError(
            f"torchvision {version} has no segmentation network and no detector {str(name)!r}"
            f"{nearest(str(name), segmentation + detection)}; there are {', '.join(segmentation + detection)}"
        )
    for beginning, learnt in _MORE_THAN_BOXES.items():
        if name.startswith(beginning):
            raise ConfigError(
                f"model={name!r} learns from {learnt}, and targets are boxes: take model='fasterrcnn_resnet50_fpn'"
            )
    return name in detection


def build_network(name: str, num_classes: int, **settings: Any) -> nn.Module:
    """Builds a network with random weights, all of them trainable.

    Args:
        name: of a builder.
        num_classes: as the builder counts them.
        settings: for the builder, where it names them.
    """
    builder = models.get_model_builder(name)
    known = inspect.signature(builder).parameters
    own = {key: value for key, value in settings.items() if key in known}
    with framework_call(f"model {name!r}", "be built"):
        network: nn.Module = builder(weights=None, weights_backbone=None, num_classes=num_classes, **own)
    return network


def load_weights(network: nn.Module, path: str | os.PathLike[str]) -> None:
    """Takes over what fits from a local file: of the whole network, or of the classifier that is its backbone.

    Raises:
        CheckpointError: unreadable, or nothing fits.
    """
    content: Any = load(path)
    state = next((content[place] for place in _PLACES if isinstance(content.get(place), dict)), content)
    own = network.state_dict()
    plain = plain_names({str(name): value for name, value in state.items()}, own.keys())
    renamed = [
        {new + name.removeprefix(old): value for name, value in plain.items() if name.startswith(old)}
        for old, new in _PREFIXES
    ]
    named = max(renamed, key=lambda names: len(names.keys() & own.keys()))
    # frozen batch norm, in torchvision's own weights, counts no batches
    counters = {name: value for name, value in own.items() if name.endswith("num_batches_tracked")}
    if named.keys() & own.keys():
        named = {**counters, **named}
    take_weights(network, named, path)
