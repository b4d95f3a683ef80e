"""From items to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from metaloss.batch import FusionBatch, check_values
from metaloss.data.items import KEYS, check_item
from metaloss.errors import DataError, ShapeError


def collate(items: Sequence[Mapping[str, Any]]) -> FusionBatch:
    """Stacks data set items, each a dict of the keys of :class:`metaloss.FusionBatch`, into a batch.

    Args:
        items: ``sources`` n tensors (C, H, W); optionally ``fusion_view`` likewise, ``chroma`` (2, H, W),
            ``names`` a string, and ``target``: a tensor, or for detection a dict of ``boxes`` and ``labels``,
            or a dict of such by task name.

    Returns:
        The batch. Tensor targets are stacked, detection targets listed, a task's missing ones ``None``.

    Raises:
        DataError: an item of another form, a key that no batch has, or images that are not in [0, 1].
        ShapeError: images of different sizes.

    Examples:
        >>> from metaloss.data import SyntheticScenes, collate
        >>> scenes = SyntheticScenes(2, size=32)
        >>> collate([scenes[0], scenes[1]]).target.shape
        torch.Size([2, 32, 32])
    """
    for key in (key for item in items for key in check_item(item) if key not in KEYS):
        raise DataError(f"a data set item has the key {key!r}: expected the keys of FusionBatch, {KEYS}")
    names = [str(item.get("names", "")) for item in items]
    for item, name in zip(items, names, strict=True):
        check_values(item["sources"], name or "an item")
    return FusionBatch(
        sources=_stack_views([item["sources"] for item in items], names),
        target=collate_targets([item.get("target") for item in items]),
        fusion_view=_optional(items, "fusion_view", names),
        chroma=_chroma([item.get("chroma") for item in items], items),
        names=tuple(names),
    )


def collate_targets(targets: Sequence[Any]) -> Any:
    """Batches targets in the one form of their kind; ``None`` where labels are missing."""
    present = [target for target in targets if target is not None]
    if not present:
        return None
    if isinstance(present[0], Tensor):
        return torch.stack(list(targets)) if len(present) == len(targets) else list(targets)
    if isinstance(present[0], Mapping) and "boxes" not in present[0]:
        tasks = {name: None for target in present for name in target}
        return {name: collate_targets([(target or {}).get(name) for target in targets]) for name in tasks}
    return list(targets)


def _stack_views(views: Sequence[Sequence[Tensor]], names: Sequence[str]) -> tuple[Tensor, ...]:
    for view, name in zip(views, names, strict=True):
        if len(view) != len(views[0]):
            raise ShapeError(
                f"{name or 'an item'} has {len(view)} sources, {names[0] or 'another'} has {len(views[0])}: "
                "all items of a data set have as many"
            )
        for source, first in zip(view, views[0], strict=True):
            if source.shape != first.shape:
                raise ShapeError(
                    f"{name or 'an item'} is {tuple(source.shape)} and {names[0] or 'another'} {tuple(first.shape)}: "
                    "images of one batch have one shape (C, H, W); set task_size, or batch_size=1"
                )
    return tuple(torch.stack(list(column)) for column in zip(*views, strict=True))


def _optional(items: Sequence[Mapping[str, Any]], key: str, names: Sequence[str]) -> tuple[Tensor, ...] | None:
    views = [item.get(key) for item in items]
    return None if any(view is None for view in views) else _stack_views(views, names)  # type: ignore[arg-type]


def _chroma(chromas: Sequence[Tensor | None], items: Sequence[Mapping[str, Any]]) -> Tensor | None:
    if all(chroma is None for chroma in chromas):
        return None
    grey = [item["sources"][0].new_zeros(2, *item["sources"][0].shape[-2:]) for item in items]
    return torch.stack([neutral if own is None else own for own, neutral in zip(chromas, grey, strict=True)])
