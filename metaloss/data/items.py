"""The form of a data set's items, checked where they are first seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from metaloss.errors import DataError, ShapeError, nearest

KEYS = ("sources", "target", "fusion_view", "chroma", "names")
_FORM = 'expected a dict: sources=(ir, vi, ...) of tensors (C, H, W), float in [0, 1]; target=...; names="..."'
_SHOWN = 6
_CHANNELS = (1, 3)


def check_item(item: Any) -> Mapping[str, Any]:
    """Checks that an item of a data set has the form that batches are made of.

    Args:
        item: what a data set returned.

    Returns:
        The item.

    Raises:
        DataError: no dict, without sources, or with something else than tensors; what it is, and what to write.
        ShapeError: a source that is no image (C, H, W).
    """
    if not isinstance(item, Mapping):
        cure = "; return dict(sources=(ir, vi), target=label)" if isinstance(item, (tuple, list)) else ""
        raise DataError(f"an item of the data set is {_described(item)}: {_FORM}{cure}")
    name = str(item.get("names") or "an item of the data set")
    if "sources" not in item:
        given = ", ".join(map(repr, item)) or "none"
        hint = nearest("sources", [key for key in item if isinstance(key, str)]) if item else ""
        raise DataError(f"{name} has the keys {given} and no 'sources'{hint}: {_FORM}")
    _check_images(item["sources"], "sources", name)
    if item.get("fusion_view") is not None:
        _check_images(item["fusion_view"], "fusion_view", name)
    if item.get("chroma") is not None and not isinstance(item["chroma"], Tensor):
        raise DataError(f"{name}: chroma is {_described(item['chroma'])}: expected a tensor (2, H, W), or None")
    _check_target(item.get("target"), "target", name)
    return item


def _check_images(images: Any, key: str, name: str) -> None:
    if isinstance(images, Tensor) and images.ndim == 4:  # n sources as one tensor
        images = list(images)
    if not isinstance(images, Sequence) or isinstance(images, str):
        raise DataError(f"{name}: {key} is {_described(images)}: expected a tuple of tensors (C, H, W), one per source")
    for number, image in enumerate(images):
        where = f"{name}: {key}[{number}] is {_described(image)}"
        if not isinstance(image, Tensor):
            raise DataError(f"{where}: expected a tensor (C, H, W), float in [0, 1]{_cure(image)}")
        if image.ndim != 3:
            cure = "; image.unsqueeze(0) adds the channel" if image.ndim == 2 else ""
            raise ShapeError(f"{where}: expected (C, H, W), one image without a batch{cure}")
        if image.shape[-1] in _CHANNELS and image.shape[0] not in _CHANNELS and image.shape[1] > _CHANNELS[-1]:
            raise ShapeError(f"{where}: expected (C, H, W); image.permute(2, 0, 1) brings the channels to the front")
        if not image.is_floating_point():
            raise DataError(f"{where}: expected float in [0, 1]; divide by the largest value, 255 for 8 bits")


def _check_target(target: Any, key: str, name: str) -> None:
    """Refuses what a task cannot take for a tensor; what else a target is, is between the data set and the task."""
    if isinstance(target, Mapping):
        for part, value in target.items():
            _check_target(value, f"{key}[{part!r}]", name)
    elif isinstance(target, np.ndarray) or _is_picture(target):
        raise DataError(f"{name}: {key} is {_described(target)}: expected a tensor{_cure(target)}")


def _cure(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "; torch.from_numpy(array) makes one"
    return "; metaloss.data.read_image and read_ids read files as such" if _is_picture(value) else ""


def _is_picture(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "PIL"


def _described(value: Any) -> str:
    """What something is, in few words, with shapes."""
    if isinstance(value, (Tensor, np.ndarray)):
        kind = "a tensor" if isinstance(value, Tensor) else "a numpy array"
        return f"{kind} {tuple(value.shape)} {value.dtype}"
    if isinstance(value, (tuple, list)):
        inside = ", ".join(map(_described, value[:_SHOWN])) + (", ..." if len(value) > _SHOWN else "")
        return f"{_a(value)} of {len(value)} ({inside})"
    return "None" if value is None else _a(value)


def _a(value: Any) -> str:
    name = type(value).__name__
    return f"an {name}" if name[0].lower() in "aeiou" else f"a {name}"
