"""Crops of scenes, drawn once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import Dataset

from metaloss.data.views import Size, crop_item


class Crops(Dataset[Any]):
    """Random crops of scenes in turn; which ones depends on the seed alone, so that all runs see the same.

    Args:
        scenes: items with the keys of :class:`metaloss.FusionBatch`.
        count: how many crops.
        size: (h, w), or ``None`` for whole scenes.
        seed: of the crops' places.
    """

    def __init__(self, scenes: Sequence[dict[str, Any]], count: int, size: Size | None, seed: int) -> None:
        self.scenes, self.count, self.size = scenes, count, size
        self.places = torch.rand(count, 2, generator=torch.Generator().manual_seed(seed)).tolist()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        scene = self.scenes[index % len(self.scenes)]
        if self.size is None:
            return scene
        height, width = scene["sources"][0].shape[-2:]
        down, across = self.places[index]
        top, left = int(down * (height - self.size[0] + 1)), int(across * (width - self.size[1] + 1))
        return crop_item(scene, top, left, self.size)
