"""Batch norm in training needs more than one value per channel, and torch does not say where they would come from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from metaloss.errors import ShapeError


@contextmanager
def enough_for_batch_norm(model: str, fused: Tensor) -> Iterator[None]:
    """Names the remedy where batch norm gets one value per channel inside the block.

    Args:
        model: the network's name.
        fused: the images it is given, of shape (B, C, H, W).

    Raises:
        ShapeError: a layer of batch norm in training mode got one value per channel.
    """
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        larger = "" if len(fused) > 1 else "a batch of two images or more, or "
        raise ShapeError(
            f"model {model!r} with {len(fused)} image{'s' * (len(fused) > 1)} of {fused.shape[-2]}x{fused.shape[-1]} "
            f"pixels: a layer of batch norm is left with one value per channel: give {larger}larger images"
        ) from error
