"""Large images, cut into tiles: many training scenes from few photographs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from metaloss.data.items import check_item
from metaloss.data.naming import source_names
from metaloss.data.views import as_size
from metaloss.errors import DataError


class Tiles(Dataset[dict[str, Any]]):
    """Each scene in parts that do not overlap, so that the parts can go into disjoint halves.

    What a grid leaves over at the right and lower edges is not used.

    Args:
        dataset: items with the keys of a ``FusionBatch``, without targets or with class ids (H, W).
        grid: how many rows and columns of tiles; one number for both.

    Attributes:
        dataset: as given.

    Raises:
        ConfigError: a grid of no tiles.
    """

    def __init__(self, dataset: Any, grid: int | Sequence[int] = (2, 2)) -> None:
        self.dataset = dataset
        self.rows, self.columns = as_size(grid) or (1, 1)

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The names of the sources."""
        return source_names(self.dataset)

    def __len__(self) -> int:
        """The number of tiles."""
        return len(self.dataset) * self.rows * self.columns

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Reads one tile.

        Args:
            index: its number: scene by scene, and row by row within a scene.

        Returns:
            The item; its name ends in the tile's row and column.

        Raises:
            DataError: the scene is smaller than the grid, or has a target that cannot be cut.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"tile {index} of {len(self)}")
        scene, tile = divmod(index % len(self), self.rows * self.columns)
        row, column = divmod(tile, self.columns)
        item = dict(check_item(self.dataset[scene]))
        height, width = (
            side // parts for side, parts in zip(item["sources"][0].shape[-2:], (self.rows, self.columns), strict=True)
        )
        if min(height, width) < 1:
            raise DataError(f"{item.get('names', 'an item')}: smaller than {self.rows}x{self.columns} pixels")

        def cut(image: Tensor | None) -> Tensor | None:
            if image is None:
                return None
            return image[..., row * height : (row + 1) * height, column * width : (column + 1) * width]

        if item.get("target") is not None and not isinstance(item["target"], Tensor):
            raise DataError(f"{item.get('names', 'an item')}: tiles are for data without targets or with class ids")
        item["sources"] = tuple(map(cut, item["sources"]))
        for key in ("target", "chroma"):
            item[key] = cut(item.get(key))
        if self.rows * self.columns > 1:
            item["names"] = f"{item.get('names', scene)}_{row}_{column}"
        return item
