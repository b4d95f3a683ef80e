"""Inference in bands of rows: each band passes through a whole stage while it is in the processor's cache.

At full resolution the intermediate images of a stage are many times larger than the cache, and the
time goes into moving them. A stage here is any function whose result at a row depends on no more
than ``reach`` rows above and below; sums over the image (the attention's products) are added up.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch
import torch.autograd.forward_ad as fwd
from torch import Tensor

Stage = Callable[..., Tensor]
PIXELS = 2**15
_FEWEST_ROWS = 8  # that bands may be made for; made equal, they can have fewer
_WORTHWHILE = 3  # bands: the rows that neighbours compute twice cost more than the cache saves below that


def in_bands(x: Tensor) -> bool:
    """Whether bands are to be used for (B, C, H, W): on the processor, with no derivative taken, and large enough."""
    if torch.is_grad_enabled() or fwd._current_level >= 0 or x.device.type != "cpu":
        return False  # the size is not looked at: torch.export would take the answer for a condition on it
    pixels = x.shape[0] * x.shape[-2] * x.shape[-1]
    return pixels > _WORTHWHILE * PIXELS and x.shape[-2] > _rows(x)


def _stitched(stage: Stage, *images: Tensor, reach: int) -> Tensor:
    """Applies a stage band by band.

    Under ``torch.compile`` the stage is compiled, for the one size that bands have, and not this loop.

    Args:
        stage: takes as many bands (B, C, h, W) as there are images, and gives (B, O, h, W); at the
            image's own border it pads as it would for the whole, at others its ``reach`` rows are dropped.
        images: each (B, C, H, W).
        reach: how many rows above and below a result depends on.

    Returns:
        (B, O, H, W), channels-last in memory.
    """
    result: Tensor | None = None
    for window, kept, place in _bands(images[0], reach):
        band = stage(*(image[:, :, window] for image in images))
        if result is None:
            size = (len(band), band.shape[1], *images[0].shape[-2:])
            result = torch.empty(size, dtype=band.dtype, memory_format=torch.channels_last)
        result[:, :, place] = band[:, :, kept]
    assert result is not None
    return result


def _products(stage: Stage, *images: Tensor, reach: int) -> Tensor:
    """The products of all channels of a stage's result, summed over the pixels of the image.

    Args:
        stage: as for :func:`_stitched`.
        images: each (B, C, H, W).
        reach: as for :func:`_stitched`.

    Returns:
        (B, O, O).
    """
    total: Tensor | None = None
    for window, kept, _ in _bands(images[0], reach):
        band = stage(*(image[:, :, window] for image in images))[:, :, kept].permute(0, 2, 3, 1).flatten(1, 2)
        product = band.transpose(1, 2) @ band
        total = product if total is None else total + product
    assert total is not None
    return total


def _rows(x: Tensor) -> int:
    """Rows per band: bands of equal height, since each costs as much as the highest."""
    most = max(PIXELS // max(x.shape[0] * x.shape[-1], 1), _FEWEST_ROWS)
    bands = max(-(-x.shape[-2] // most), 1)
    return -(-x.shape[-2] // bands)


def _bands(x: Tensor, reach: int) -> Iterator[tuple[slice, slice, slice]]:
    """The rows to compute, all windows of one height; those of them to keep; and their place in the whole."""
    height, rows = x.shape[-2], _rows(x)
    window = min(height, rows + 2 * reach)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        start = max(0, min(top - reach, height - window))
        yield slice(start, start + window), slice(top - start, bottom - start), slice(top, bottom)


_LOOPS = {"stitched": _stitched, "products": _products}


def __getattr__(name: str) -> Callable[..., Tensor]:
    """Gives ``bands.stitched`` and ``bands.products``: once there is a compiler, with the mark that keeps it out.

    ``torch.compiler.disable`` imports the compiler, which takes as long as the import of torch. Whoever calls them asks
    the module anew at each call, and so does the compiler.
    """
    if name not in _LOOPS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if "torch._dynamo" not in sys.modules:
        return _LOOPS[name]
    marked: Callable[..., Tensor] = torch.compiler.disable(_LOOPS[name], recursive=False)
    globals()[name] = marked
    return marked


if TYPE_CHECKING:
    stitched, products = _stitched, _products
