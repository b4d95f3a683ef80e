"""Builds timm models by their names, without weights from the network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import timm
from metaloss_frameworks.weights import take_weights
from timm.models import clean_state_dict
from torch import nn

from metaloss import checkpoint
from metaloss.errors import CheckpointError, ConfigError, nearest

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
    try:
        model: nn.Module = timm.create_model(name, pretrained=False, **settings)
    except (LookupError, RuntimeError, TypeError, ValueError, AssertionError) as error:
        raise ConfigError(f"timm cannot build {name!r} with {settings}: {error}") from error
    return model


def load_weights(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Takes over what fits from a local file, as timm's training or its hub writes them.

    Raises:
        CheckpointError: unreadable, or nothing fits.
    """
    content: Any = _safetensors(path) if str(path).endswith(".safetensors") else checkpoint.load(path)
    state = next((content[place] for place in _PLACES if isinstance(content.get(place), Mapping)), content)
    take_weights(model, clean_state_dict(state), path)


def _safetensors(path: str | os.PathLike[str]) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: not readable as safetensors ({error})") from None
