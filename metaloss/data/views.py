"""The two views of an item, a crop for the fusion loss and the resized whole for the task; and what moves an item."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from metaloss.data.boxes import crop_boxes, flip_boxes, resize_boxes
from metaloss.data.items import check_item
from metaloss.data.seeds import seeded
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
        DataError: the item is none, or the crop does not fit into the image.
        ShapeError: a source is no image (C, H, W).
    """
    sources: Sequence[Tensor] = check_item(item)["sources"]
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
        result = resize_item(result, task_size)
    return result


def resize_item(item: Mapping[str, Any], size: Size) -> dict[str, Any]:
    """Resizes the task's view of an item: images, chroma and target; the fusion loss's view stays.

    Args:
        item: an item with the keys of :class:`metaloss.FusionBatch`.
        size: (H, W).

    Returns:
        A new item. Class ids go to the nearest neighbour; boxes are scaled.
    """
    old = (item["sources"][0].shape[-2], item["sources"][0].shape[-1])
    return _moved(item, lambda image: resize(image, size), lambda target: resize_target(target, old, size))


def crop_item(item: Mapping[str, Any], top: int, left: int, size: Size) -> dict[str, Any]:
    """Crops the task's view of an item: images, chroma and target; the fusion loss's view stays.

    Args:
        item: an item with the keys of :class:`metaloss.FusionBatch`.
        top: the first row.
        left: the first column.
        size: (h, w).

    Returns:
        A new item. Boxes are cut at the border, and dropped as :func:`metaloss.data.cut_boxes` says.

    Raises:
        DataError: the crop does not lie inside the image.
    """
    height, width = item["sources"][0].shape[-2:]
    if not (0 <= top <= height - size[0] and 0 <= left <= width - size[1]):
        raise DataError(
            f"{item.get('names') or 'an item'} is {height}x{width} pixels: a crop of {size[0]}x{size[1]} at row {top}, "
            f"column {left} does not lie inside"
        )

    def cut(image: Tensor) -> Tensor:
        return image[..., top : top + size[0], left : left + size[1]]

    return _moved(item, cut, lambda target: _move_target(target, cut, lambda part: crop_boxes(part, top, left, size)))


def flip_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Mirrors an item left to right: images, chroma and target, in both views.

    Args:
        item: an item with the keys of :class:`metaloss.FusionBatch`.

    Returns:
        A new item.
    """
    width = item["sources"][0].shape[-1]

    def mirror(image: Tensor) -> Tensor:
        return image.flip(-1)

    result = _moved(item, mirror, lambda target: _move_target(target, mirror, lambda part: flip_boxes(part, width)))
    if result.get("fusion_view") is not None:
        result["fusion_view"] = tuple(map(mirror, result["fusion_view"]))
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

    def nearest_ids(ids: Tensor) -> Tensor:
        return F.interpolate(ids[None, None].to(torch.float64), new, mode="nearest-exact")[0, 0].to(ids.dtype)

    return _move_target(target, nearest_ids, lambda part: resize_boxes(part, old, new))


def _moved(item: Mapping[str, Any], image: Callable[[Tensor], Tensor], target: Callable[[Any], Any]) -> dict[str, Any]:
    result = {**item, "sources": tuple(map(image, item["sources"]))}
    if item.get("chroma") is not None:
        result["chroma"] = image(item["chroma"])
    if "target" in item:
        result["target"] = target(item["target"])
    return result


def _move_target(
    target: Any, ids: Callable[[Tensor], Tensor], boxes: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> Any:
    if isinstance(target, Tensor) and target.ndim == 2:
        return ids(target)
    if isinstance(target, Mapping) and "boxes" in target:
        return boxes(target)
    if isinstance(target, Mapping):
        return {name: _move_target(part, ids, boxes) for name, part in target.items()}
    return target


class Resized(Dataset[Any]):
    """A data set whose items are resized for the task; what it draws follows from an item's number alone.

    So every validation sees the same, with any number of workers.

    Args:
        dataset: items with the keys of :class:`metaloss.FusionBatch`.
        size: (H, W), or ``None`` to leave them as they are.
    """

    def __init__(self, dataset: Dataset[Any], size: Size | None) -> None:
        self.dataset, self.size = dataset, size

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> dict[str, Any]:
        with seeded(index % len(self)):
            item = self.dataset[index]
        return make_views(item, fusion_crop=None, task_size=self.size, generator=torch.Generator())


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
