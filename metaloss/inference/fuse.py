"""Runs a trained fusion network on images of any size, whole or in tiles."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from metaloss.errors import ConfigError, MetaLossError, ShapeError
from metaloss.networks.adapted import pad_to, padded_size
from metaloss.networks.calling import calling, check_image, name_of
from metaloss.runtime.modes import evaluating

# of U-shapes and patches, of windows of 7 (Swin) and of patches of 14 (ViT), with the strides of several stages
_STRIDES = (7, 8, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 96, 112, 128, 224, 256)
_NOT_OF_SIZE = (
    TypeError,
    AttributeError,
    KeyError,
    ImportError,
    NotImplementedError,
    MemoryError,
    torch.OutOfMemoryError,
)
_OF_SIZE = re.compile(
    r"siz|shape|dimension|divi|multiple|pad|kernel|window|patch|stride|resolution|height|width|square|\bview\b|match"
    r"|broadcast|expand|element|length|range|bound|incompatib|\d+ ?x ?\d+",
    re.IGNORECASE,
)
_OF_MEMORY_OR_CHANNELS = re.compile(r"allocate|out of memory|to have \d+ channels", re.IGNORECASE)


def fuse_any_size(fusion: nn.Module, sources: Sequence[Tensor]) -> Tensor:
    """Fuses without gradient and in evaluation mode.

    A network with strides keeps only sizes that they divide, one with a position embedding a single size. Where it
    returns another size, or an error that speaks of sizes, the sources are padded by repeating their edge and the
    result is cropped: to multiples of 7 to 256 pixels, rectangles and squares, the smallest that it takes. A network
    whose stride is known (``metaloss.Adapted(network, multiple=..., square=...)``) is not tried out again and again.

    Args:
        fusion: ``(*sources) -> fused``; it gets copies of them.
        sources: n tensors of shape (B, C, H, W).

    Returns:
        The fused image (B, C, H, W), of the sources' height and width.

    Raises:
        ShapeError: it returns no image, or one of another size for every padded size.
        ConfigError: it cannot be called as ``network(*sources)``.
        Exception: what it raised at the sources' own size, where no padded size helps.
    """
    height, width = size = (sources[0].shape[-2], sources[0].shape[-1])
    with evaluating(fusion), torch.no_grad(), calling(fusion):
        fused = _attempt(fusion, tuple(source.clone() for source in sources))
        if isinstance(fused, Tensor) and fused.shape[-2:] == size:
            return fused
        for padded in _padded_sizes(height, width):
            image = _attempt(fusion, pad_to(sources, padded))
            if isinstance(image, Tensor) and image.shape[-2:] == padded:
                return image[..., :height, :width]
    if isinstance(fused, Exception):
        raise fused
    raise ShapeError(
        f"{name_of(fusion)} fused {height}x{width} pixels into {fused.shape[-2]}x{fused.shape[-1]}: "
        "a fusion network keeps the sources' size"
    )


def _attempt(fusion: nn.Module, sources: tuple[Tensor, ...]) -> Tensor | Exception:
    """The fused image, or what the network has against this size."""
    try:
        fused = fusion(*sources)
    except Exception as error:
        if not _speaks_of_size(error):
            raise
        return error
    return check_image(fusion, fused, sources)


def _padded_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """The sizes to try, the smallest first."""
    sizes = {padded_size((height, width), stride, square) for stride in _STRIDES for square in (False, True)}
    return sorted(sizes - {(height, width)}, key=lambda size: (size[0] * size[1], size))


def _speaks_of_size(error: Exception) -> bool:
    """Whether another image size may help."""
    text = str(error)
    if isinstance(error, ShapeError):
        return True
    if isinstance(error, (MetaLossError, *_NOT_OF_SIZE)) or _OF_MEMORY_OR_CHANNELS.search(text):
        return False
    return bool(_OF_SIZE.search(text)) or (isinstance(error, AssertionError) and not text)


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
