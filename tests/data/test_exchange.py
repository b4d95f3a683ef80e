import pytest
import torch
from toys import scenes

from metaloss.data import exchange_sources


def exchanged(batch, seed):
    return exchange_sources(batch, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("view", [None, (4, 4)])
@pytest.mark.parametrize("sources", [2, 3, 4])
@pytest.mark.parametrize("size", [2, 5, 6])
def test_order_says_what_stands_where(size, sources, view):
    batch = scenes(batch=size, sources=sources, view=view)
    for seed in range(20):
        result = exchanged(batch, seed)
        for mixed, original in ((result.sources, batch.sources), (result.loss_view, batch.loss_view)):
            for b in range(size):
                for k in range(sources):
                    assert torch.equal(mixed[k][b], original[int(result.order[b, k])][b])
        assert torch.equal(result.order.sort(1).values, torch.arange(sources).repeat(size, 1))
        assert result.target is batch.target
        assert (result.fusion_view is None) == (view is None)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_half_of_the_batch(size):
    batch = scenes(batch=size)
    counts = [int((exchanged(batch, seed).order[:, 0] != 0).sum()) for seed in range(200)]
    assert set(counts) == ({size // 2} if size % 2 == 0 else {size // 2, size // 2 + 1})
    assert sum(counts) / len(counts) == pytest.approx(size / 2, abs=0.15)


def test_every_item_and_every_permutation_has_its_turn():
    batch = scenes(batch=4, sources=3)
    orders = [exchanged(batch, seed).order for seed in range(200)]
    assert all(any(order[b].tolist() != [0, 1, 2] for order in orders) for b in range(4))
    found = {tuple(row) for order in orders for row in order.tolist()}
    assert len(found) == 6
