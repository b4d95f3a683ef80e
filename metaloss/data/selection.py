"""Some scenes of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from metaloss.batch import FusionBatch


def select_scenes(batch: FusionBatch, scenes: Sequence[int]) -> FusionBatch:
    """Makes a batch of some scenes of another, with everything that belongs to them.

    Args:
        batch: B scenes; its target is a tensor or list with one entry per scene, or a dict of such by task name.
        scenes: their places, in the order of the new batch; one may stand there twice.

    Returns:
        A new batch.
    """
    rows = list(scenes)

    def pick(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, Tensor):
            return value[rows]
        if isinstance(value, Mapping):
            return {name: pick(part) for name, part in value.items()}
        return [value[row] for row in rows]

    return replace(
        batch,
        sources=tuple(pick(source) for source in batch.sources),
        target=pick(batch.target),
        fusion_view=None if batch.fusion_view is None else tuple(pick(view) for view in batch.fusion_view),
        chroma=pick(batch.chroma),
        names=pick(batch.names) if batch.names else (),
        order=pick(batch.order),
    )
