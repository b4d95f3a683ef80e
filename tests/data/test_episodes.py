import pytest
import torch
from toys import Scenes, same

import metaloss
from metaloss.data import Episodes


def names(batches):
    return [name for batch in batches for name in batch.names]


def everything(episodes, epoch):
    meta = [batch for pair in episodes.meta(epoch) for batch in pair]
    return [
        [batch.sources, batch.loss_view, batch.order, batch.target, batch.names]
        for batch in (*meta, *episodes.fusion(epoch))
    ]


@pytest.mark.parametrize("length", [2, 3, 6, 9])
def test_halves_are_disjoint_and_cover_everything(length):
    episodes = Episodes(dataset=Scenes(length), meta_steps=12)
    halves = []
    for epoch in range(3):
        pairs = list(episodes.meta(epoch))
        assert len(pairs) == 12
        first, second = (set(names(side)) for side in zip(*pairs, strict=True))
        assert not first & second
        assert len(first | second) == length
        halves.append(frozenset(first))
    if length == 9:
        assert len(set(halves)) == 3


def test_a_half_is_used_up_before_it_is_shuffled_again():
    episodes = Episodes(dataset=Scenes(8), meta_steps=6, batch_size=2)
    for side in zip(*episodes.meta(0), strict=True):
        given = names(side)
        rounds = [given[start : start + 4] for start in range(0, 12, 4)]
        assert all(len(set(each)) == 4 for each in rounds)
        assert {frozenset(each) for each in rounds} == {frozenset(given)}
        assert len({tuple(each) for each in rounds}) > 1


def test_batches_are_no_larger_than_a_half():
    pairs = list(Episodes(dataset=Scenes(3), meta_steps=4, batch_size=2).meta(0))
    assert [(len(a), len(b)) for a, b in pairs] == [(1, 2)] * 4


@pytest.mark.parametrize(("length", "steps"), [(6, 3), (7, 4)])
def test_the_fusion_phase_is_one_pass(length, steps):
    episodes = Episodes(dataset=Scenes(length))
    assert episodes.fusion_steps == steps
    orders = [names(episodes.fusion(epoch)) for epoch in range(3)]
    assert all(sorted(order) == sorted(f"scene{i}" for i in range(length)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3


def test_everything_follows_from_the_seed_and_the_epoch():
    settings = {"dataset": Scenes(6, size=(9, 9)), "meta_steps": 4, "fusion_crop": (4, 4), "task_size": (6, 6)}
    first, again, other = (Episodes(**settings, seed=seed) for seed in (5, 5, 6))
    state = torch.get_rng_state()
    expected = everything(first, 3)
    assert torch.equal(torch.get_rng_state(), state)
    list(again.fusion(2))
    torch.rand(3)
    assert same(everything(again, 3), expected)
    assert not same(everything(first, 4), expected)
    assert not same(everything(other, 3), expected)


def test_crops_differ_between_draws_of_one_item():
    episodes = Episodes(dataset=Scenes(2, size=(20, 20)), meta_steps=10, fusion_crop=(4, 4), exchange=False)
    views = {tuple(a.loss_view[0].flatten().tolist()) for a, _ in episodes.meta(0)}
    assert len(views) > 5


def test_exchange_can_be_left_out():
    with_it, without = (Episodes(dataset=Scenes(4), exchange=exchange) for exchange in (True, False))
    assert all(batch.order is None for batch in without.fusion(0))
    swapped = [int((batch.order[:, 0] == 1).sum()) for batch in with_it.fusion(0)]
    assert swapped == [1, 1]


def test_images_of_different_sizes_need_a_task_size():
    mixed = Scenes(6, size=(8, 8), other=(12, 10))
    with pytest.raises(metaloss.ShapeError, match="set task_size"):
        list(Episodes(dataset=mixed, batch_size=6).fusion(0))
    for batch in Episodes(dataset=mixed, batch_size=6, task_size=(6, 7), fusion_crop=(5, 5)).fusion(0):
        assert batch.sources[0].shape == (6, 1, 6, 7)
        assert batch.target.shape == (6, 6, 7)
        assert batch.loss_view[0].shape == (6, 1, 5, 5)


def test_too_few_items():
    for length, words in ((0, "0 items"), (1, "1 item:")):
        with pytest.raises(metaloss.DataError, match=words):
            Episodes(dataset=Scenes(length))


def test_workers_see_the_same():
    settings = {"dataset": Scenes(6, size=(9, 9)), "meta_steps": 2, "fusion_crop": (4, 4)}
    alone, helped = Episodes(**settings), Episodes(**settings, num_workers=2)
    assert same(everything(helped, 1), everything(alone, 1))
