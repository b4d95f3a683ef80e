"""The kinds of images that a fuser takes, as tensors, and its results as the same kind.

============ ======================================= ================ =====================================
kind         shape                                   numbers          the result
============ ======================================= ================ =====================================
tensor       (C, H, W) or (B, C, H, W), C 1 or 3     floats, uint8,   of its shape, type and device
                                                     uint16
NumPy array  (H, W), (H, W, 1) or (H, W, 3)          likewise         of its shape and type
PIL image    grey or colour                          8 or 16 bits, F  a PIL image
path         of a PNG, TIFF, JPEG or BMP file        8 or 16 bits, F  a PIL image
============ ======================================= ================ =====================================

Floats are in [0, 1]; colour is red, green, blue. A PIL image's pixels are taken as they lie; of a path the camera's
orientation mark is applied. The result has three channels if a source whose colour counts has.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from metaloss.batch import DIVIDE, out_of_range
from metaloss.data.images import read_numbers
from metaloss.data.ranges import Numbers, SourceRange
from metaloss.errors import DataError, ShapeError

FLOAT = 32  # the depth of images of floats
_UNSIGNED = {"uint8": 8, "uint16": 16}
_FLOATS = {2: torch.float16, 4: torch.float32}  # by bytes; NumPy's longer ones than 8 become float64
_BEYOND = 0.5  # resizing and sharpening leave [0, 1] by less
_UNDO = "undo what has standardised it ((image + 1) / 2 of [-1, 1])"
_GREY = ("1", "L", "LA", "La")  # modes of PIL images
_VIA = {"P": "RGBA", "PA": "RGBA", "La": "LA"}  # the direct way warns of palettes with transparency, or there is none
_TAKEN = (
    "expected tensors (C, H, W) or (B, C, H, W), NumPy arrays (H, W) or (H, W, 3), PIL images, or paths of image files"
)


@dataclass(frozen=True)
class Source:
    """One source, whatever it was given as.

    Attributes:
        images: of shape (B, C, H, W), floating point in [0, 1].
        depth: bits per channel of what was given: 8, 16, or ``FLOAT``.
    """

    images: Tensor
    depth: int


def read(given: Any, number: int, range: SourceRange) -> Source:
    """Reads one source.

    Args:
        given: a tensor, a NumPy array, a PIL image or a path.
        number: of the source, for messages.
        range: which of its whole numbers, or of a file's numbers, become 0 and 1; floats in memory are in [0, 1].

    Raises:
        ShapeError: something else, or another shape.
        DataError: a file that cannot be read, or numbers of another kind, or not finite.
    """
    name = f"source {number}"
    if isinstance(given, (str, os.PathLike)):
        numbers = read_numbers(given)
        return Source(_scaled(numbers, range)[None], 16 if numbers.bits > 8 else 8)
    if isinstance(given, Tensor):
        return _of_tensor(given.detach(), name, range)
    if isinstance(given, np.ndarray):
        return _of_array(given, name, range)
    if _is_picture(given):
        numbers = _of_picture(given, name)
        return Source(_scaled(numbers, range)[None], FLOAT if given.mode == "F" else min(numbers.bits, 16))
    kind = f"{type(given).__module__.partition('.')[0]}.{type(given).__name__}"
    fix = "; give the sources one by one, fuser(*sources)" if isinstance(given, (list, tuple)) else ""
    raise ShapeError(f"{name} is a {kind}: {_TAKEN}{fix}")


def check_alike(sources: Sequence[Source]) -> None:
    """Checks that there are at least two sources, of one size and number.

    Raises:
        ShapeError: where they differ.
    """
    if len(sources) < 2:
        raise ShapeError(f"{len(sources)} source given: image fusion needs at least two registered sources")
    first = sources[0].images
    for number, source in enumerate(sources):
        (height, width), (rows, columns) = source.images.shape[-2:], first.shape[-2:]
        if (height, width) != (rows, columns):
            raise ShapeError(
                f"source {number} has {width}x{height} pixels and source 0 {columns}x{rows} (width x height): "
                "registered sources have one size; resize or register them first"
            )
        if len(source.images) != len(first):
            raise ShapeError(f"source {number} has {len(source.images)} images and source 0 {len(first)}: give as many")
        if not first.numel():
            raise ShapeError(f"{len(first)} images of {columns}x{rows} pixels (width x height): there is none")


def give_back(fused: Tensor, like: Any, depth: int, dtype: torch.dtype) -> Any:
    """Makes of fused images what the first source was given as.

    Args:
        fused: of shape (B, C, H, W), in [0, 1], on the CPU.
        like: that source.
        depth: the largest of all sources.
        dtype: of floats in the result.
    """
    if isinstance(like, Tensor):
        made = fused.to(dtype) if depth == FLOAT else torch.from_numpy(_levels(fused, depth))
        return (made if like.ndim == 4 else made[0]).to(like.device)
    pixels = fused[0].permute(1, 2, 0)
    grey = pixels.shape[-1] == 1
    if isinstance(like, np.ndarray):
        array = pixels.to(dtype).numpy() if depth == FLOAT else _levels(pixels, depth)
        return array[..., 0] if grey and like.ndim == 2 else np.ascontiguousarray(array)
    from PIL import Image

    if not grey or depth == 8:
        return Image.fromarray(_levels(pixels[..., 0] if grey else pixels, 8))
    return Image.fromarray(pixels[..., 0].float().numpy() if depth == FLOAT else _levels(pixels[..., 0], 16))


def float_type(sources: Sequence[Any]) -> torch.dtype:
    """The most exact of the types of floats that were given; float32 where none were."""
    found: torch.dtype | None = None
    for source in sources:
        own: torch.dtype | None = source.dtype if isinstance(source, Tensor) else None
        if isinstance(source, np.ndarray) and source.dtype.kind == "f":
            own = _FLOATS.get(source.dtype.itemsize, torch.float64)
        if own is not None and own.is_floating_point:
            found = own if found is None else torch.promote_types(found, own)
    return found or torch.float32


def _of_tensor(given: Tensor, name: str, range: SourceRange) -> Source:
    if given.ndim not in (3, 4) or given.shape[-3] not in (1, 3):
        last = given.ndim in (3, 4) and given.shape[-1] in (1, 3)
        fix = "; channels come first: image.movedim(-1, -3)" if last else "; a grey image (H, W) is image[None]"
        raise ShapeError(f"{name} is a tensor of shape {tuple(given.shape)}: expected (C, H, W) or (B, C, H, W){fix}")
    images = given if given.ndim == 4 else given[None]
    if given.is_floating_point():
        if not given.isfinite().all():
            raise DataError(f"{name}: values that are NaN or infinite: fill them first")
        _check_floats(given, name)
        return Source(images.cpu() if given.dtype == torch.float64 else images.cpu().float(), FLOAT)
    depth = _depth(str(given.dtype).removeprefix("torch."), name)
    arrays = images.cpu().movedim(1, -1).numpy()
    numbers = [Numbers(Path(name), array[..., 0] if array.shape[-1] == 1 else array, depth) for array in arrays]
    return Source(torch.stack([_scaled(each, range) for each in numbers]), depth)


def _check_floats(given: Tensor, name: str) -> None:
    low, high = given.aminmax() if given.numel() else (0.0, 1.0)
    if low < -_BEYOND or high > 1 + _BEYOND:
        raise out_of_range(name, given, _UNDO if low < 0 else DIVIDE)


def _of_array(given: NDArray[Any], name: str, range: SourceRange) -> Source:
    if given.ndim not in (2, 3) or (given.ndim == 3 and given.shape[-1] not in (1, 3)):
        first = given.ndim == 3 and given.shape[0] in (1, 3)
        fix = "; channels come last: np.moveaxis(image, 0, -1)" if first else ""
        fix = "; leave the fourth channel out: image[..., :3]" if given.shape[-1] == 4 and not first else fix
        raise ShapeError(f"{name} is an array of shape {given.shape}: expected (H, W), (H, W, 1) or (H, W, 3){fix}")
    pixels = given[..., 0] if given.ndim == 3 and given.shape[-1] == 1 else given
    pixels = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("="), copy=False))
    if given.dtype.kind != "f":
        depth = _depth(given.dtype.name, name)
        return Source(_scaled(Numbers(Path(name), pixels, depth), range)[None], depth)
    tensor = torch.from_numpy(pixels if pixels.dtype.itemsize <= 8 else pixels.astype(np.float64))
    return _of_tensor(tensor[None] if tensor.ndim == 2 else tensor.permute(2, 0, 1), name, range)


def _depth(kind: str, name: str) -> int:
    if kind not in _UNSIGNED:
        raise DataError(f"{name} is of {kind}: expected floats in [0, 1], or whole numbers as uint8 or uint16")
    return _UNSIGNED[kind]


def _is_picture(given: Any) -> bool:
    """Whether it is a PIL image; PIL is not imported to find out."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(given, module.Image)


def _of_picture(picture: Any, name: str) -> Numbers:
    try:
        picture.load()
    except Exception as error:  # one that was opened, and not read yet: of a damaged file nearly any
        raise DataError(
            f"{name}: this PIL image cannot be read ({error}): it is closed, or its file damaged"
        ) from error
    if picture.mode == "F" or picture.mode.startswith("I"):
        values = np.array(picture)
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        if not np.isfinite(values).all():
            raise DataError(f"{name}: pixels that are NaN or infinite: fill them first")
        deep = values.size and values.dtype.kind in "iu" and values.min() >= 0 and values.max() < 2**16
        return Numbers(Path(name), values, 16 if deep else FLOAT)
    via = picture.convert(_VIA[picture.mode]) if picture.mode in _VIA else picture
    return Numbers(Path(name), np.array(via.convert("L" if picture.mode in _GREY else "RGB")), 8)


def _scaled(numbers: Numbers, range: SourceRange) -> Tensor:
    """(C, H, W), float32 in [0, 1]."""
    scaled = torch.from_numpy(range.scale(numbers))
    return scaled[None] if scaled.ndim == 2 else scaled.permute(2, 0, 1).contiguous()


def _levels(image: Tensor, depth: int) -> NDArray[Any]:
    """Rounded as files are written."""
    return image.clamp(0, 1).mul(2**depth - 1).round().numpy().astype(np.uint8 if depth == 8 else np.uint16)
