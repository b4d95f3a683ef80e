import pytest
import torch

import metaloss
from metaloss.data import Resized, as_size, make_views
from metaloss.data.views import resize, resize_target


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def item(size=(8, 10), **more):
    ramp = torch.arange(size[0] * size[1], dtype=torch.float32).view(1, *size)
    return {"sources": (ramp, -ramp), **more}


def test_a_crop_is_the_same_window_of_every_source_at_full_resolution():
    given = item()
    seen = set()
    for seed in range(200):
        made = make_views(given, fusion_crop=(5, 4), task_size=None, generator=seeded(seed))
        first, second = made["fusion_view"]
        assert torch.equal(first, -second)
        top, left = divmod(int(first[0, 0, 0]), 10)
        assert torch.equal(first, given["sources"][0][:, top : top + 5, left : left + 4])
        seen.add((top, left))
        assert made["sources"] is given["sources"]
    assert {top for top, _ in seen} == set(range(4))
    assert {left for _, left in seen} == set(range(7))


def test_a_crop_of_the_whole_image_and_one_too_large():
    made = make_views(item(), fusion_crop=(8, 10), task_size=None, generator=seeded())
    assert torch.equal(made["fusion_view"][0], item()["sources"][0])
    with pytest.raises(metaloss.DataError, match="scene7 is 8x10 pixels: a fusion crop of 9x4 does not fit"):
        make_views(item(names="scene7"), fusion_crop=(9, 4), task_size=None, generator=seeded())


def test_the_task_sees_all_of_it_resized_with_its_chroma_and_target():
    given = item(chroma=torch.rand(2, 8, 10) - 0.5, target=torch.arange(80).view(8, 10))
    made = make_views(given, fusion_crop=(4, 4), task_size=(4, 5), generator=seeded())
    assert [tuple(made[key].shape) for key in ("chroma", "target")] == [(2, 4, 5), (4, 5)]
    assert made["sources"][0].shape == (1, 4, 5)
    assert made["fusion_view"][0].shape == (1, 4, 4)
    assert torch.equal(made["sources"][0], resize(given["sources"][0], (4, 5)))
    assert given["sources"][0].shape == (1, 8, 10)
    same = make_views(given, fusion_crop=None, task_size=(8, 10), generator=seeded())
    assert same["sources"] is given["sources"]
    assert "fusion_view" not in same


def test_resizing_keeps_the_mean_and_the_range():
    image = torch.rand(1, 40, 40)
    small = resize(image, (10, 10))
    assert small.mean().item() == pytest.approx(image.mean().item(), abs=0.01)
    assert small.std() < 0.6 * image.std()
    assert 0 <= small.min() <= small.max() <= 1


def test_class_ids_stay_class_ids():
    ids = torch.tensor([[0, 0, 255, 255], [0, 0, 255, 255], [7, 7, 3, 3], [7, 7, 3, 3]])
    assert resize_target(ids, (4, 4), (2, 2)).tolist() == [[0, 255], [7, 3]]
    assert torch.equal(resize_target(ids, (4, 4), (8, 8)), ids.repeat_interleave(2, 0).repeat_interleave(2, 1))
    assert resize_target(ids.byte(), (4, 4), (3, 3)).dtype == torch.uint8


def test_boxes_move_with_their_image():
    target = {"boxes": torch.tensor([[1.0, 2.0, 3.0, 4.0]]), "labels": torch.tensor([1])}
    moved = resize_target(target, (10, 20), (30, 10))
    assert moved["boxes"].tolist() == [[0.5, 6.0, 1.5, 12.0]]
    assert torch.equal(moved["labels"], target["labels"])
    empty = resize_target({"boxes": torch.zeros(0, 4), "labels": torch.zeros(0)}, (10, 20), (30, 10))
    assert empty["boxes"].shape == (0, 4)
    both = resize_target({"det": target, "seg": torch.zeros(10, 20), "none": None}, (10, 20), (30, 10))
    assert torch.equal(both["det"]["boxes"], moved["boxes"])
    assert both["seg"].shape == (30, 10)
    assert both["none"] is None
    label = torch.tensor(4)
    assert resize_target(label, (10, 20), (30, 10)) is label


def test_resized_data_set():
    resized = Resized([item(target=torch.zeros(8, 10)), item((6, 6))], (4, 4))
    assert len(resized) == 2
    assert all(each["sources"][1].shape == (1, 4, 4) for each in (resized[0], resized[1]))
    assert resized[0]["target"].shape == (4, 4)
    assert Resized([item()], None)[0]["sources"][0].shape == (1, 8, 10)


def test_sizes():
    assert as_size(None) is None
    assert as_size(7) == (7, 7)
    assert as_size([3, 4]) == (3, 4)
    for wrong in (0, -3, (1, 2, 3), (1,), (2.5, 2), "ab"):
        with pytest.raises(metaloss.ConfigError, match="expected a number of pixels, or"):
            as_size(wrong)
