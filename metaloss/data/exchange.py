"""Source exchange: no network may learn a source by its place."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from metaloss.batch import FusionBatch


def exchange_sources(batch: FusionBatch, generator: torch.Generator) -> FusionBatch:
    """Permutes the sources in half of a batch (for two sources: swaps them).

    Of an odd batch the odd item is permuted every second time. Chroma and target stay: they
    belong to the scene.

    Args:
        batch: a batch of B items with n sources.
        generator: which items, and which permutation, are drawn from it.

    Returns:
        A new batch; its ``order`` says which original source stands where.
    """
    return reorder_sources(batch, draw_order(len(batch), len(batch.sources), generator))


def draw_order(size: int, count: int, generator: torch.Generator) -> Tensor:
    """Draws which source shall stand where, for a batch that need not be loaded.

    Args:
        size: B, the items of the batch.
        count: n, the sources of an item.
        generator: what to draw from.

    Returns:
        Of shape (B, n): the numbers of the original sources, permuted in half of the rows.
    """
    chosen = size // 2 + int(torch.randint(1 + size % 2, (), generator=generator))
    items = torch.randperm(size, generator=generator)[:chosen]
    order = torch.arange(count).repeat(size, 1)
    order[items] = _other_order(count, generator)
    return order


def reorder_sources(batch: FusionBatch, order: Tensor) -> FusionBatch:
    """Puts the sources of each item into an order.

    Args:
        batch: a batch of B items with n sources.
        order: of shape (B, n): which source shall stand where.

    Returns:
        A new batch with this ``order``.
    """
    device = batch.sources[0].device
    view = batch.fusion_view
    return replace(
        batch,
        sources=_permute(batch.sources, order),
        fusion_view=None if view is None else _permute(view, order),
        order=order.to(device),
    )


def own_order(values: Tensor, order: Tensor | None) -> Tensor:
    """Puts what belongs to the sources of a batch, place by place, into the order of the original sources.

    Args:
        values: of shape (B, n, ...).
        order: of the batch, (B, n); ``None``: nothing was exchanged.

    Returns:
        Of the same shape: at ``[b, k]`` what belongs to the original source k.
    """
    if order is None:
        return values
    index = order.to(values.device).view(*order.shape, *(1 for _ in values.shape[2:])).expand_as(values)
    return torch.zeros_like(values).scatter(1, index, values)


def _other_order(count: int, generator: torch.Generator) -> Tensor:
    identity = torch.arange(count)
    while True:
        permutation = torch.randperm(count, generator=generator)
        if not torch.equal(permutation, identity):
            return permutation


def _permute(sources: tuple[Tensor, ...], order: Tensor) -> tuple[Tensor, ...]:
    rows = order.tolist()
    return tuple(torch.stack([sources[row[k]][b] for b, row in enumerate(rows)]) for k in range(len(sources)))
