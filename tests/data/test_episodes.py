import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from toys import Scenes, same

import metaloss
from metaloss.data import Episodes, Resized
from metaloss.data.episodes import share
from metaloss.errors import ConfigError
from metaloss.runtime import files

# torch's word on a machine, or a share of one, with a single core
TWO_WORKERS = pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes:UserWarning")


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


def test_every_batch_draws_its_own_exchange():
    episodes = Episodes(dataset=Scenes(24), batch_size=4, meta_steps=8)
    batches = [*episodes.fusion(0), *(batch for pair in episodes.meta(0) for batch in pair)]
    orders = [tuple(batch.order[:, 0].tolist()) for batch in batches]
    assert all(sum(order) == 2 for order in orders)
    assert len(set(orders)) == 6  # two of four places: all there are


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


@TWO_WORKERS
def test_workers_see_the_same():
    settings = {"dataset": Scenes(6, size=(9, 9)), "meta_steps": 2, "fusion_crop": (4, 4)}
    alone, helped = Episodes(**settings), Episodes(**settings, num_workers=2)
    assert same(everything(helped, 1), everything(alone, 1))


class Augmented(Scenes):
    """Draws from all three global generators, as people's augmentations do."""

    def __getitem__(self, index):
        item = super().__getitem__(index)
        drawn = float(torch.rand(())), float(np.random.rand()), random.random()
        sources = tuple(source * drawn[k] for k, source in enumerate(item["sources"]))
        return {**item, "sources": sources, "names": f"{index} {drawn}"}


@TWO_WORKERS
@pytest.mark.parametrize("workers", [1, 2])
def test_augmentations_are_the_items_own(workers):
    settings = {"dataset": Augmented(5), "meta_steps": 3, "seed": 11}
    before = files.random_state()
    alone = [everything(Episodes(**settings), epoch) for epoch in (1, 2)]
    assert same(files.random_state(), before)
    for draw in (torch.rand, np.random.rand):  # as a training does, and a resumed one does not
        draw(7)
    random.seed(3)
    resumed = everything(Episodes(**settings, num_workers=workers), 2)
    assert same(resumed, alone[1])
    drawn = [name for epoch in alone for batch in epoch for name in batch[4]]
    assert len(set(drawn)) == len(drawn)
    other = everything(Episodes(**{**settings, "seed": 12}), 1)
    assert not {name for batch in other for name in batch[4]} & set(drawn)


def test_shares_draw_what_the_batch_of_one_process_draws():
    settings = {"dataset": Augmented(8), "meta_steps": 2, "seed": 3}
    alone = everything(Episodes(**settings, batch_size=4), 0)
    parts = [everything(Episodes(**settings, batch_size=2, rank=rank, world_size=2), 0) for rank in (0, 1)]
    assert [[name for part in step for name in part[4]] for step in zip(*parts, strict=True)] == [
        list(batch[4]) for batch in alone
    ]


def test_validation_sees_the_same_each_time():
    dataset, before = Resized(Augmented(3), (6, 6)), files.random_state()
    first = [dataset[index]["names"] for index in range(3)]
    assert same(files.random_state(), before)
    random.seed(9)
    assert [dataset[index - 3]["names"].partition(" ")[2] for index in range(3)] == [
        name.partition(" ")[2] for name in first
    ]
    assert len({name.partition(" ")[2] for name in first}) == 3


@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 7])
def test_a_share_is_equal_for_all_and_never_empty(length, world_size):
    batch = list(range(length))
    shares = [share(batch, rank, world_size) for rank in range(world_size)]
    assert {len(part) for part in shares} == {-(-length // world_size)}
    together = [item for part in shares for item in part]
    assert together[:length] == batch
    assert together[length:] == (batch * world_size)[: len(together) - length]


@pytest.mark.parametrize("world_size", [2, 3])
def test_shares_together_are_the_batch_of_one_process(world_size):
    settings = {"dataset": Scenes(12, size=(9, 9)), "meta_steps": 3, "fusion_crop": (4, 4), "seed": 7}
    alone = everything(Episodes(**settings, batch_size=6), 1)
    parts = [
        everything(Episodes(**settings, batch_size=6 // world_size, rank=rank, world_size=world_size), 1)
        for rank in range(world_size)
    ]
    assert len(alone) == 8
    for whole, *shares in zip(alone, *parts, strict=True):
        sources, views, orders, targets, given = zip(*shares, strict=True)
        assert same([torch.cat(source) for source in zip(*sources, strict=True)], list(whole[0]))
        assert same([torch.cat(view) for view in zip(*views, strict=True)], list(whole[1]))
        assert same([torch.cat(orders), torch.cat(targets)], whole[2:4])
        assert [name for part in given for name in part] == list(whole[4])


def test_a_last_batch_that_does_not_divide():
    settings = {"dataset": Scenes(7), "batch_size": 2, "world_size": 2, "meta_steps": 2}
    first, second = (Episodes(**settings, rank=rank) for rank in (0, 1))
    assert first.fusion_steps == second.fusion_steps == 2
    last = [names([list(each.fusion(0))[-1]]) for each in (first, second)]
    assert [len(part) for part in last] == [2, 2]
    assert last[1][1] == last[0][0]
    assert {name for each in (first, second) for name in names(each.fusion(0))} == {f"scene{i}" for i in range(7)}


@pytest.mark.parametrize(
    ("length", "batch_size", "world_size", "meta_steps"),
    [(3, 2, 1, 2), (4, 2, 2, 2), (7, 2, 1, 0), (8, 2, 2, 3), (9, 4, 1, 1), (2, 1, 3, 0), (12, 6, 1, 1)],
)
def test_the_smallest_batch(length, batch_size, world_size, meta_steps):
    settings = {"dataset": Scenes(length), "batch_size": batch_size, "meta_steps": meta_steps}
    episodes = Episodes(**settings, world_size=world_size, rank=0)
    sizes = [len(batch) for pair in episodes.meta(0) for batch in pair] + [len(batch) for batch in episodes.fusion(0)]
    assert episodes.smallest_batch == min(sizes)


def test_a_half_smaller_than_the_batch_of_all_processes():
    settings = {"dataset": Scenes(4), "batch_size": 2, "world_size": 3, "meta_steps": 2}
    pairs = [list(Episodes(**settings, rank=rank).meta(0)) for rank in range(3)]
    assert [[(len(a), len(b)) for a, b in each] for each in pairs] == [[(1, 1)] * 2] * 3
    for step in zip(*pairs, strict=True):
        trained, tested = ({name for pair in step for name in pair[side].names} for side in (0, 1))
        assert (len(trained), len(tested), trained & tested) == (2, 2, set())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (DataLoader(list(range(4))), "is a DataLoader: give its data set"),
        (Path("data"), "is of PosixPath: expected a data set with len.*PairedDataset"),
        (iter(()), "is of tuple_iterator: expected a data set"),
    ],
    ids=["loader", "path", "iterator"],
)
def test_what_is_no_data_set(given, said):
    with pytest.raises(ConfigError, match=said):
        Episodes(dataset=given)
