"""The weights on and off each class, against counting by hand."""

import pytest
import torch

from metaloss.evaluation.regions import weights_by_region

IR = torch.tensor([[0.9, 0.8, 0.1, 0.2], [0.7, 0.3, 0.4, 0.6]])
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
    assert sum(name == "weight/ir/on/1" for name, _, _ in listed) == 2
