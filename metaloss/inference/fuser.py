"""Fuses the images of one scene, or of one moment of a video, in colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor, nn

from metaloss.batch import check_values
from metaloss.colour import fitted_chroma, luma, merge_chroma, rgb_to_ycbcr, ycbcr_to_rgb
from metaloss.errors import DataError
from metaloss.inference.fuse import fuse_any_size, fuse_in_tiles


class Colour(str, Enum):
    """Whether fused images get the sources' colour."""

    auto = "auto"
    grey = "grey"


class Stretch(str, Enum):
    """How fused images are scaled."""

    none = "none"
    minmax = "minmax"


@dataclass(frozen=True)
class Fuser:
    """A fusion network, and how its images are scaled and coloured.

    Attributes:
        network: the fusion network, on its device.
        device: that device.
        colour: whether the colour is kept.
        stretch: how the fused luma is scaled.
        tile: height and width of the tiles, or ``None`` for images as a whole.
    """

    network: nn.Module
    device: torch.device
    colour: Colour = Colour.auto
    stretch: Stretch = Stretch.none
    tile: int | None = None

    def __call__(self, images: Sequence[Tensor]) -> Tensor:
        """Fuses the luma of registered images and gives it their colour.

        Args:
            images: each (3, H, W) or (1, H, W), in [0, 1].

        Returns:
            (3, H, W) or (1, H, W), in [0, 1], on the CPU.

        Raises:
            DataError: the images were never brought into [0, 1], or do not fit into memory.
        """
        check_values(images)
        lumas = [(image if len(image) == 1 else luma(image)).unsqueeze(0).to(self.device) for image in images]
        try:
            fused = fuse_any_size(self.network, lumas) if self.tile is None else self._tiled(lumas, self.tile)
        except RuntimeError as error:
            if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
                raise
            height, width = images[0].shape[-2:]
            fix = "--tile 512 fuses part by part" if self.tile is None else f"give less than --tile {self.tile}"
            raise DataError(f"{width}x{height} pixels do not fit into memory: {fix}") from error
        fused = fused[0].cpu().clamp(0, 1)
        if self.stretch is Stretch.minmax:
            low, high = fused.amin(), fused.amax()
            fused = (fused - low) / (high - low).clamp_min(torch.finfo(fused.dtype).eps)
        if self.colour is Colour.auto:
            chroma = merge_chroma([rgb_to_ycbcr(image)[1] if len(image) == 3 else None for image in images])
            if chroma is not None:
                fused = ycbcr_to_rgb(fused, fitted_chroma(fused, chroma)).clamp(0, 1)
        return fused

    def _tiled(self, lumas: Sequence[Tensor], tile: int) -> Tensor:
        return fuse_in_tiles(self.network, lumas, tile=tile)
