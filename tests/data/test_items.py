"""Items of another form are refused in one sentence, wherever they are first seen."""

from collections import namedtuple

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import Dataset

import metaloss
from metaloss.data import Joined, Resized, Tiles, collate, make_views, source_names
from metaloss.data.items import check_item
from metaloss.errors import DataError, ShapeError

IR, VI = torch.rand(1, 16, 20), torch.rand(1, 16, 20)
LABEL = torch.zeros(16, 20, dtype=torch.int64)
FORM = "expected a dict: sources="
Scene = namedtuple("Scene", "ir vi label")

WRONG = [
    ((IR, VI, LABEL), DataError, r"is a tuple of 3 \(a tensor \(1, 16, 20\) torch.float32, .*expected a dict: sources"),
    ([IR, VI], DataError, r"is a list of 2 .*; return dict\(sources=\(ir, vi\), target=label\)"),
    (Scene(IR, VI, LABEL), DataError, r"is a Scene of 3 \(a tensor .*expected a dict"),
    (torch.rand(2, 1, 16, 20), DataError, r"is a tensor \(2, 1, 16, 20\) torch.float32: expected a dict"),
    (IR.numpy(), DataError, r"is a numpy array \(1, 16, 20\) float32: expected a dict"),
    (None, DataError, "is None: expected a dict"),
    (metaloss.FusionBatch((IR[None], VI[None])), DataError, "is a FusionBatch: expected a dict"),
    ({"ir": IR, "vi": VI}, DataError, "an item of the data set has the keys 'ir', 'vi' and no 'sources': expected"),
    ({"source": (IR, VI), "names": "a"}, DataError, r"^a has the keys .* and no 'sources' \(did you mean 'source'\?\)"),
    ({}, DataError, "has the keys none and no 'sources'"),
    ({"sources": None}, DataError, "sources is None: expected a tuple of tensors"),
    ({"sources": IR}, DataError, r"sources is a tensor \(1, 16, 20\) torch.float32: expected a tuple of tensors"),
    ({"sources": {"ir": IR, "vi": VI}}, DataError, "sources is a dict: expected a tuple"),
    ({"sources": (IR, VI.numpy())}, DataError, r"sources\[1\] is a numpy array .*; torch.from_numpy\(array\) makes"),
    ({"sources": (Image.new("L", (20, 16)), VI)}, DataError, r"sources\[0\] is an Image: .*metaloss.data.read_image"),
    ({"sources": ("ir/a.png", "vi/a.png")}, DataError, r"sources\[0\] is a str: expected a tensor"),
    ({"sources": (IR[0], VI[0])}, ShapeError, r"sources\[0\] is a tensor \(16, 20\) .*image.unsqueeze\(0\)"),
    ({"sources": (IR[None], VI[None])}, ShapeError, r"sources\[0\] is a tensor \(1, 1, 16, 20\) .*without a batch"),
    ({"sources": (IR, torch.rand(16, 20, 3))}, ShapeError, r"sources\[1\] .*image.permute\(2, 0, 1\)"),
    ({"sources": ((IR * 255).byte(), VI)}, DataError, r"sources\[0\] .*uint8: expected float in \[0, 1\]; divide"),
    ({"sources": (IR, VI), "fusion_view": (IR.numpy(), VI)}, DataError, r"fusion_view\[0\] is a numpy array"),
    ({"sources": (IR, VI), "chroma": np.zeros((2, 16, 20))}, DataError, "chroma is a numpy array"),
    ({"sources": (IR, VI), "target": LABEL.numpy()}, DataError, r"target is a numpy array \(16, 20\) int64: .*numpy"),
    ({"sources": (IR, VI), "target": Image.new("L", (20, 16))}, DataError, "target is an Image: .*read_ids"),
    (
        {"sources": (IR, VI), "target": {"boxes": np.zeros((1, 4)), "labels": torch.zeros(1).long()}},
        DataError,
        r"target\['boxes'\] is a numpy array",
    ),
]  # fmt: skip


class Items(Dataset):
    def __init__(self, item):
        self.item = item

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return self.item


@pytest.mark.parametrize(("item", "error", "said"), WRONG)
def test_an_item_of_another_form(item, error, said):
    with pytest.raises(error, match=said) as met:
        check_item(item)
    assert "\n" not in str(met.value)


@pytest.mark.parametrize(
    "item",
    [
        {"sources": (IR, VI)},
        {"sources": [IR.double(), VI.half(), IR]},
        {"sources": torch.rand(3, 1, 16, 20), "target": None, "names": "a"},
        {"sources": (torch.rand(3, 16, 20), VI), "target": {"seg": LABEL, "weather": "rain"}, "chroma": None},
        {"sources": (IR, VI), "target": [1, 2], "fusion_view": None},
        {"sources": (torch.rand(1, 3, 3), torch.rand(1, 1, 1))},
    ],
)
def test_items_of_the_right_form(item):
    assert check_item(item) is item


@pytest.mark.parametrize(
    "seen",
    [
        lambda data: collate([data[0], data[1]]),
        lambda data: make_views(data[0], fusion_crop=None, task_size=None, generator=torch.Generator()),
        lambda data: Resized(data, (8, 8))[0],
        lambda data: Tiles(data)[0],
        lambda data: Joined([data, data])[0],
        source_names,
    ],
)
@pytest.mark.parametrize("number", [0, 7])
def test_wherever_it_is_first_seen(seen, number):
    item, error, _ = WRONG[number]
    with pytest.raises(error, match=FORM):
        seen(Items(item))


@pytest.mark.parametrize(("number", "workers"), [(0, 0), (7, 0), (13, 0), (16, 0), (22, 0), (0, 1)])
def test_by_the_training(number, workers):
    item, error, said = WRONG[number]
    learner = metaloss.MetaLearner(
        fusion=metaloss.networks.WeightedSum(),
        loss=metaloss.LearnableFusionLoss(weights="uniform"),
        task=metaloss.ModuleTask(nn.Conv2d(1, 4, 1), nn.functional.cross_entropy),
        lr=1e-3,
    )
    with pytest.raises(error, match=said):
        learner.fit(Items(item), epochs=1, meta_steps=1, num_workers=workers)
