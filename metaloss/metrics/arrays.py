"""Images as arrays, the way image libraries give them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from metaloss.errors import DataError, ShapeError


def image_tensor(name: str, array: NDArray[Any]) -> Tensor:
    """Makes a tensor of one image or of a batch.

    Args:
        name: of the image, for messages.
        array: of shape (H, W), (H, W, C), (B, H, W, C) or (B, C, H, W), C of 1 or 3; whole or real numbers.

    Returns:
        Of shape (B, C, H, W), in float64 where the array is, else in a type that holds its numbers.

    Raises:
        DataError: it holds no whole or real numbers.
        ShapeError: another shape.
    """
    if array.dtype.kind not in "iuf":
        raise DataError(f"{name} is an array of {array.dtype}: expected whole or real numbers, 0-255")
    shape = array.shape
    if array.ndim == 2:
        batch = array[None, None]
    elif array.ndim == 3 and shape[2] in (1, 3):
        batch = array.transpose(2, 0, 1)[None]
    elif array.ndim == 4 and shape[1] in (1, 3):
        batch = array
    elif array.ndim == 4 and shape[3] in (1, 3):
        batch = array.transpose(0, 3, 1, 2)
    else:
        raise ShapeError(
            f"{name} is an array of shape {shape}: expected (H, W), (H, W, 3), (B, H, W, 3) or (B, C, H, W) "
            "with one or three channels"
        )
    if array.dtype.kind == "f":
        dtype: type = np.float64 if array.dtype.itemsize >= 8 else np.float32
    else:
        dtype = np.uint8 if array.dtype == np.uint8 else np.int64
    return torch.from_numpy(np.array(batch, dtype=dtype, order="C"))
