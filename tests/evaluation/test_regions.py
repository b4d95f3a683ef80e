"""The weights on and off each class, against counting by hand."""

import pytest
import torch

from metaloss.data import PairedDataset, SyntheticScenes, write_scenes
from metaloss.data.regions import names_of_classes
from metaloss.evaluation.regions import weights_by_region, without_tasks

IR = torch.tensor([[0.9, 0.8, 0.1, 0.2], [0.7, 0.3, 0.4, 0.6]])
IDS = torch.tensor([[[1, 1, 0, 0], [0, 0, 0, 0]]])
WEIGHTS = torch.stack([IR, 1 - IR])[None]


def found(target, classes=("background", "person"), weights=WEIGHTS):
    return {
        name: (float(mean), count) for name, mean, count in weights_by_region(weights, target, ("ir", "vi"), classes)
    }


def test_class_ids():
    ids = torch.tensor([[[1, 1, 0, 255], [0, 0, 0, 7]]])
    means = found(ids)
    assert means["weight/ir/on/person"] == (pytest.approx(0.85), 2)
    assert means["weight/vi/on/person"] == (pytest.approx(0.15), 2)
    assert means["weight/ir/off/person"] == (pytest.approx((0.1 + 0.7 + 0.3 + 0.4 + 0.6) / 5), 5)
    assert means["weight/ir/on/7"] == (pytest.approx(0.6), 1)
    assert {name.split("/")[-1] for name in means} == {"background", "person", "7"}


def test_boxes():
    target = [{"boxes": torch.tensor([[0.0, 0, 2, 1], [1, 0, 3, 1]]), "labels": torch.tensor([1, 1])}]
    means = found(target)
    assert means["weight/ir/on/person"] == (pytest.approx(0.6), 3)
    assert means["weight/ir/off/person"] == (pytest.approx((0.2 + 0.7 + 0.3 + 0.4 + 0.6) / 5), 5)
    assert len(means) == 4


@pytest.mark.parametrize(
    "target",
    [None, torch.tensor([2]), [{"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}], {"a": None}],
)
def test_no_regions(target):
    assert found(target) == {}


def test_several_tasks_and_scenes():
    ids = torch.tensor([[[1, 1, 0, 0], [0, 0, 0, 0]]] * 2)
    weights = WEIGHTS.expand(2, -1, -1, -1)
    listed = list(weights_by_region(weights, {"seg": ids, "weather": torch.tensor([0, 1])}, ("ir", "vi")))
    assert sum(name == "weight/ir/on/1/seg" for name, _, _ in listed) == 2
    assert "weight/ir/on/1" in without_tasks({name: float(mean) for name, mean, _ in listed})


def test_classes_of_two_tasks_are_not_mixed():
    boxes = [{"boxes": torch.tensor([[2.0, 1, 4, 2]]), "labels": torch.tensor([1])}]
    means = without_tasks(
        {name: mean for name, (mean, _) in found({"seg": IDS, "det": boxes}, ()).items()} | {"EN": 1.0}
    )
    assert means["weight/ir/on/seg 1"] == pytest.approx(0.85)
    assert means["weight/ir/on/det 1"] == pytest.approx(0.5)
    assert means["EN"] == 1
    assert "weight/ir/on/1" not in means


@pytest.mark.parametrize("box", [[-3.0, -3, -1, -1], [0, -2, 4, -1], [5, 0, 9, 2], [-2, 0, -1, 2]])
def test_a_box_outside_the_image_covers_nothing(box):
    means = found([{"boxes": torch.tensor([box]), "labels": torch.tensor([1])}])
    assert set(means) == {"weight/ir/off/person", "weight/vi/off/person"}
    assert means["weight/ir/off/person"][1] == 8


def test_a_box_over_the_border_covers_what_is_inside():
    means = found([{"boxes": torch.tensor([[-5.0, -5, 2, 1]]), "labels": torch.tensor([1])}])
    assert means["weight/ir/on/person"] == (pytest.approx(0.85), 2)


def test_negative_ids_are_of_no_class():
    means = found(torch.tensor([[[1, 1, 0, -1], [0, 0, 0, -100]]]))
    assert {name.split("/")[-1] for name in means} == {"background", "person"}
    assert means["weight/ir/off/person"][1] == 4


def test_an_id_of_no_class_of_the_data_sets_own(tmp_path):
    write_scenes(tmp_path, SyntheticScenes(3, size=32))
    dataset = PairedDataset(tmp_path, ignore=0)
    target = dataset[0]["target"][None]
    assert (target == 255).any()
    weights = torch.full((1, 2, *target.shape[-2:]), 0.5)
    listed = list(weights_by_region(weights, target, dataset.sources, *names_of_classes(dataset)))
    assert listed
    assert {name.split("/")[-1] for name, _, _ in listed} <= {"person", "sign", "car"}


def test_names_with_slashes():
    listed = weights_by_region(WEIGHTS, IDS, ("cameras/ir", "vi"), ("soil/road", "person"))
    assert {name.count("/") for name, _, _ in listed} == {3}
