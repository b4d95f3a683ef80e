"""Builds timm models by their names, without weights from the network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import timm
from metaloss_frameworks.framework_call import framework_call
from metaloss_frameworks.weights import take_weights
from timm.models import clean_state_dict
from torch import nn

from metaloss.errors import CheckpointError, ConfigError, nearest
from metaloss.runtime import files

# how vision transformers, and those with windows, are told to take images of any size
_FLEXIBLE = (
    {"dynamic_img_size": True, "dynamic_img_pad": True},
    {"dynamic_img_size": True},
    {"strict_img_size": False},
)
_PLACES = ("state_dict_ema", "model_ema", "state_dict", "model")  # as timm's own training writes them


def build_model(name: str, **settings: Any) -> nn.Module:
    """Builds one of timm's own models with random weights.

    Args:
        name: as ``timm.list_models()`` gives it; a pretrained tag after a dot chooses its mean and deviation.
        settings: for ``timm.create_model``.

    Raises:
        ConfigError: timm has no such model, it lives on a hub, or it does not take the settings.
    """
    if ":" in name or "/" in name:
        raise ConfigError(
            f"model={name!r}: expected the name of a model that timm itself brings: nothing is downloaded; give local "
            "weights as checkpoint="
        )
    if not timm.is_model(name):
        raise ConfigError(f"timm {timm.__version__} has no model {name!r}{nearest(name, timm.list_models())}")
    advice = "leave out what it does not take, or choose another model"
    with framework_call("timm", f"build {name!r} with {settings}", advice=advice):
        model: nn.Module = timm.create_model(name, pretrained=False, **settings)
    return model


def build_features(name: str, **settings: Any) -> tuple[nn.Module, tuple[int, int] | None]:
    """Builds a model that gives its features, for images of any size where timm lets it.

    Attention is computed in single steps: torch's fused operator can be differentiated once, and a fusion network's
    meta-gradient needs more.

    Args:
        name: as for :func:`build_model`.
        settings: for ``timm.create_model``.

    Returns:
        The model; and the one size (H, W) of images that it takes, or ``None`` where it takes any.

    Raises:
        ConfigError: as :func:`build_model`, or a model without features.
    """
    fixed = fixed_size(name)
    model = None
    for flexible in _FLEXIBLE if fixed else ():
        try:
            model = build_model(name, features_only=True, **settings, **flexible)
        except ConfigError:  # it does not take the setting: the next one, and in the end none
            continue
        fixed = None
        break
    if model is None:
        model = build_model(name, features_only=True, **settings)
    for module in model.modules():
        if getattr(module, "fused_attn", False):
            module.fused_attn = False
    return model, fixed


def fixed_size(name: str) -> tuple[int, int] | None:
    """The one size (H, W) of images that a model takes, or ``None`` where it takes several."""
    own = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    return (own.input_size[1], own.input_size[2]) if own is not None and own.fixed_input_size else None


def own_size(model: nn.Module) -> tuple[int, int]:
    """The size (H, W) of the images that a model was made for; most take others, too."""
    height, width = model.pretrained_cfg["input_size"][1:]
    return height, width


def load_weights(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Takes over what fits from a local file, as timm's training or its hub writes them.

    Raises:
        CheckpointError: unreadable, or nothing fits.
    """
    content: Any = _safetensors(path) if str(path).endswith(".safetensors") else files.load(path)
    state = next((content[place] for place in _PLACES if isinstance(content.get(place), Mapping)), content)
    take_weights(model, clean_state_dict(state), path)


def _safetensors(path: str | os.PathLike[str]) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: not readable as safetensors ({error})") from None
