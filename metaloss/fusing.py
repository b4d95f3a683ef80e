"""Runs a trained fusion network on images of any size, whole or in tiles."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metaloss.errors import ConfigError, ShapeError
from metaloss.modes import evaluating

_STRIDES = (8, 16, 32, 64)


def fuse_any_size(fusion: nn.Module, sources: Sequence[Tensor]) -> Tensor:
    """Fuses without gradient and in evaluation mode.

    A network with strides keeps only sizes that they divide. Where it returns another size, or
    refuses the size, the sources are padded by repeating their edge and the result is cropped.

    Args:
        fusion: ``(*sources) -> fused``.
        sources: n tensors of shape (B, C, H, W).

    Returns:
        The fused image (B, C, H, W), of the sources' height and width.

    Raises:
        ShapeError: the network fits no padded size either.
    """
    height, width = sources[0].shape[-2:]
    with evaluating(fusion), torch.no_grad():
        refusal: RuntimeError | None = None
        try:
            fused = fusion(*sources)
            if fused.shape[-2:] == (height, width):
                return fused  # type: ignore[no-any-return]
        except RuntimeError as error:
            refusal = error
        for stride in _STRIDES:
            down, right = -height % stride, -width % stride
            if not (down or right):
                continue
            try:
                fused = fusion(*(F.pad(source, (0, right, 0, down), mode="replicate") for source in sources))
            except RuntimeError as error:
                refusal = error
                continue
            if fused.shape[-2:] == (height + down, width + right):
                return fused[..., :height, :width]  # type: ignore[no-any-return]
    if refusal is not None:
        raise refusal
    raise ShapeError(
        f"{type(fusion).__name__} fused {height}x{width} pixels into {fused.shape[-2]}x{fused.shape[-1]}: "
        "a fusion network keeps the sources' size"
    )


def fuse_in_tiles(fusion: nn.Module, sources: Sequence[Tensor], *, tile: int, overlap: int | None = None) -> Tensor:
    """Fuses tile by tile, for images that do not fit into memory as a whole.

    Neighbouring tiles overlap and are blended with weights that rise linearly from their edges. A network
    that looks at the whole image, as attention does, sees the tile alone: the result is near the untiled
    one, not equal to it.

    Args:
        fusion: ``(*sources) -> fused``.
        sources: n tensors of shape (B, C, H, W).
        tile: height and width of a tile, pixels.
        overlap: of neighbouring tiles, pixels, below ``tile``; default: a quarter of it.

    Returns:
        The fused image (B, C, H, W), on the sources' device.

    Raises:
        ConfigError: a tile of no pixels, or an overlap that is not below it.
        ShapeError: as :func:`fuse_any_size`.
    """
    overlap = tile // 4 if overlap is None else overlap
    if tile < 1 or not 0 <= overlap < tile:
        raise ConfigError(f"tile={tile}, overlap={overlap}: a tile has pixels, and more of them than overlap")
    height, width = sources[0].shape[-2:]
    if height <= tile and width <= tile:
        return fuse_any_size(fusion, sources)
    total: Tensor | None = None
    weights = torch.zeros(height, width, device=sources[0].device)
    for rows, down in _spans(height, tile, overlap):
        for columns, across in _spans(width, tile, overlap):
            fused = fuse_any_size(fusion, [source[..., rows, columns] for source in sources])
            weight = (down[:, None] * across).to(fused.device)
            total = fused.new_zeros(*fused.shape[:2], height, width) if total is None else total
            total[..., rows, columns] += fused * weight
            weights[rows, columns] += weight
    assert total is not None
    return total / weights


def _spans(length: int, tile: int, overlap: int) -> list[tuple[slice, Tensor]]:
    """Tiles along one side, spread evenly, each with its blending weights."""
    tile = min(tile, length)
    count = 1 if length == tile else -(-(length - overlap) // (tile - overlap))
    spans = []
    for index in range(count):
        start = round(index * (length - tile) / max(count - 1, 1))
        from_edge = torch.arange(1.0, tile + 1)
        rising = from_edge if index else torch.full((tile,), float("inf"))
        falling = from_edge.flip(0) if index < count - 1 else torch.full((tile,), float("inf"))
        weights = torch.minimum(rising, falling).clamp(max=overlap + 1.0)
        spans.append((slice(start, start + tile), weights))
    return spans
