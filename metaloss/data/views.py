"""The two views of an item: a crop for the fusion loss, the resized whole for the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from metaloss.errors import ConfigError, DataError

Size = tuple[int, int]


def make_views(
    item: Mapping[str, Any], *, fusion_crop: Size | None, task_size: Size | None, generator: torch.Generator
) -> dict[str, Any]:
    """Makes the fusion loss's view and the task's view of one item.

    Args:
        item: an item with the keys of :class:`metaloss.FusionBatch`.
        fusion_crop: (h, w) of the random crop, at full resolution, that the fusion loss sees, or
            ``None`` for the task's view.
        task_size: (H, W) that the whole image, its chroma and its target are resized to, or ``None``.
        generator: where the crop is drawn from.

    Returns:
        A new item.

    Raises:
        DataError: the crop does not fit into the image.
    """
    sources: Sequence[Tensor] = item["sources"]
    result = dict(item)
    height, width = sources[0].shape[-2:]
    if fusion_crop is not None:
        if fusion_crop[0] > height or fusion_crop[1] > width:
            raise DataError(
                f"{item.get('names') or 'an item'} is {height}x{width} pixels: a fusion crop of "
                f"{fusion_crop[0]}x{fusion_crop[1]} does not fit"
            )
        top, left = (
            int(torch.randint(room + 1, (), generator=generator))
            for room in (height - fusion_crop[0], width - fusion_crop[1])
        )
        rows, columns = slice(top, top + fusion_crop[0]), slice(left, left + fusion_crop[1])
        result["fusion_view"] = tuple(source[..., rows, columns] for source in sources)
    if task_size is not None and task_size != (height, width):
        result["sources"] = tuple(resize(source, task_size) for source in sources)
        if item.get("chroma") is not None:
            result["chroma"] = resize(item["chroma"], task_size)
        result["target"] = resize_target(item.get("target"), (height, width), task_size)
    return result


def resize(image: Tensor, size: Size) -> Tensor:
    """Resizes an image (C, H, W) bilinearly, with anti-aliasing when it shrinks."""
    return F.interpolate(image.unsqueeze(0), size, mode="bilinear", antialias=True, align_corners=False).squeeze(0)


def resize_target(target: Any, old: Size, new: Size) -> Any:
    """Moves a target along with its image.

    Args:
        target: class ids (H, W), nearest neighbour; ``boxes`` (N, 4) xyxy in pixels, scaled; a
            dict by task name, each; anything else stays as it is.
        old: (H, W) before.
        new: (H, W) after.

    Returns:
        The target for the resized image.
    """
    if isinstance(target, Tensor) and target.ndim == 2:
        ids = target[None, None].to(torch.float64)
        return F.interpolate(ids, new, mode="nearest-exact")[0, 0].to(target.dtype)
    if isinstance(target, Mapping) and "boxes" in target:
        factor = target["boxes"].new_tensor([new[1] / old[1], new[0] / old[0]] * 2)
        return {**target, "boxes": target["boxes"] * factor}
    if isinstance(target, Mapping):
        return {name: resize_target(part, old, new) for name, part in target.items()}
    return target


class Resized(Dataset[Any]):
    """A data set whose items are resized for the task.

    Args:
        dataset: items with the keys of :class:`metaloss.FusionBatch`.
        size: (H, W), or ``None`` to leave them as they are.
    """

    def __init__(self, dataset: Dataset[Any], size: Size | None) -> None:
        self.dataset, self.size = dataset, size

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> dict[str, Any]:
        return make_views(self.dataset[index], fusion_crop=None, task_size=self.size, generator=torch.Generator())


def as_size(size: int | Sequence[int] | None) -> Size | None:
    """Reads a size: one number for a square, or (height, width).

    Raises:
        ConfigError: anything else.
    """
    if size is None:
        return None
    numbers = (size, size) if isinstance(size, int) else tuple(size)
    if len(numbers) != 2 or not all(isinstance(number, int) and number > 0 for number in numbers):
        raise ConfigError(f"size {size!r}: expected a number of pixels, or (height, width)")
    return numbers[0], numbers[1]
