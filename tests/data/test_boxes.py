"""Boxes follow their image: the pixels under a box stay under it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import metaloss
from metaloss.data import check_detections, crop_item, cut_boxes, flip_item, make_views, resize_item
from metaloss.errors import DataError, ShapeError

HEIGHT, WIDTH = 40, 60


@st.composite
def scenes(draw):
    """An item whose first source is 1 under a box and 0 elsewhere; the box has whole corners."""
    left = draw(st.integers(0, WIDTH - 6))
    top = draw(st.integers(0, HEIGHT - 6))
    right = draw(st.integers(left + 6, WIDTH))
    bottom = draw(st.integers(top + 6, HEIGHT))
    return item(left, top, right, bottom)


def item(left, top, right, bottom):
    image = torch.zeros(1, HEIGHT, WIDTH)
    image[:, top:bottom, left:right] = 1
    target = {"boxes": torch.tensor([[left, top, right, bottom]]).float(), "labels": torch.tensor([4])}
    return {"sources": (image, 1 - image), "target": target, "chroma": image.repeat(2, 1, 1) / 2, "names": "scene"}


def extent(mask):
    """The box around the pixels of a mask: left, top, right, bottom."""
    rows, columns = mask.any(1).nonzero().flatten(), mask.any(0).nonzero().flatten()
    return torch.tensor([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]).float()


@given(scenes(), st.integers(20, 90), st.integers(20, 90))
@settings(deadline=None, max_examples=150)
def test_through_a_resize(scene, height, width):
    moved = resize_item(scene, (height, width))
    [box] = moved["target"]["boxes"]
    image = moved["sources"][0][0]
    assert image.shape == (height, width)
    # half covered pixels at the rim round either way, and the filter is wider than a pixel
    assert (extent(image > 0.5) - box).abs().max() <= 0.75
    assert torch.equal(moved["target"]["labels"], torch.tensor([4]))
    assert moved["chroma"].shape == (2, height, width)
    assert (moved["sources"][1] + moved["sources"][0]).allclose(torch.ones(()), atol=1e-5)


@given(scenes())
@settings(deadline=None)
def test_through_a_flip(scene):
    moved = flip_item(scene | {"fusion_view": scene["sources"]})
    assert torch.equal(extent(moved["sources"][0][0] > 0.5), moved["target"]["boxes"][0])
    assert torch.equal(moved["fusion_view"][0], moved["sources"][0])
    assert torch.equal(moved["chroma"][:1] * 2, moved["sources"][0])
    again = flip_item(moved)
    assert torch.equal(again["target"]["boxes"], scene["target"]["boxes"])


@given(scenes(), st.data())
@settings(deadline=None, max_examples=300)
def test_through_a_crop(scene, data):
    height, width = data.draw(st.integers(8, HEIGHT)), data.draw(st.integers(8, WIDTH))
    top, left = data.draw(st.integers(0, HEIGHT - height)), data.draw(st.integers(0, WIDTH - width))
    moved = crop_item(scene, top, left, (height, width))
    image = moved["sources"][0][0]
    assert image.shape == (height, width)
    [before] = scene["target"]["boxes"]
    part = image.sum() / ((before[2] - before[0]) * (before[3] - before[1]))
    boxes = moved["target"]["boxes"]
    assert len(boxes) == len(moved["target"]["labels"]) == int(part >= 0.25)
    if len(boxes):
        assert torch.equal(extent(image > 0.5), boxes[0])


def test_the_views_of_training():
    """The fusion loss's crop moves no box; the task's size scales them."""
    scene = item(10, 8, 30, 24)
    made = make_views(scene, fusion_crop=(8, 8), task_size=(80, 30), generator=torch.Generator().manual_seed(0))
    assert made["target"]["boxes"].tolist() == [[5.0, 16.0, 15.0, 48.0]]
    assert made["fusion_view"][0].shape == (1, 8, 8)
    assert scene["target"]["boxes"].tolist() == [[10.0, 8.0, 30.0, 24.0]]


def test_segmentation_and_several_tasks_move_too():
    scene = item(10, 8, 30, 24)
    ids = scene["sources"][0][0].long()
    several = scene | {"target": {"det": scene["target"], "seg": ids, "none": None}}
    for moved in (flip_item(several), crop_item(several, 4, 6, (30, 40)), resize_item(several, (20, 30))):
        assert torch.equal(extent(moved["target"]["seg"] > 0), moved["target"]["det"]["boxes"][0])
        assert moved["target"]["none"] is None


def test_boxes_of_which_too_little_is_left():
    boxes = torch.tensor(
        [
            [-10.0, 0.0, 10.0, 10.0],  # half inside
            [-30.0, 0.0, 9.9, 10.0],  # just under a quarter
            [-30.0, 0.0, 10.0, 10.0],  # a quarter
            [5.0, 5.0, 5.5, 9.0],  # thinner than a pixel
            [5.0, 5.0, 5.0, 5.0],  # a point
            [25.0, 0.0, 40.0, 10.0],  # outside
            [1.0, 1.0, 2.0, 2.0],  # one pixel
        ]
    )
    cut = cut_boxes({"boxes": boxes, "labels": torch.arange(7), "score": torch.arange(7.0)}, (20, 20))
    assert cut["labels"].tolist() == [0, 2, 6]
    assert cut["score"].tolist() == [0, 2, 6]
    assert cut["boxes"].tolist() == [[0, 0, 10, 10], [0, 0, 10, 10], [1, 1, 2, 2]]
    none = cut_boxes({"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}, (20, 20))
    assert none["boxes"].shape == (0, 4)


def test_a_crop_outside_the_image():
    with pytest.raises(
        DataError, match="scene is 40x60 pixels: a crop of 40x10 at row 1, column 0 does not lie inside"
    ):
        crop_item(item(1, 1, 9, 9), 1, 0, (40, 10))


GOOD = {"boxes": torch.tensor([[0.0, 0, 4, 4]] * 2), "labels": torch.zeros(2, dtype=torch.int64)}


def test_the_one_form_of_targets():
    empty = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    assert check_detections([GOOD, empty], 2) == [GOOD, empty]
    batch = metaloss.data.collate([{"sources": (torch.rand(1, 4, 4),) * 2, "target": each} for each in (GOOD, empty)])
    assert check_detections(batch.target, 2)[1] is empty


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (None, "NoneType with 2 fused images"),
        ([GOOD], "1 entries with 2 fused images"),
        (torch.zeros(2, 4), "2 entries with 2"),
        ([GOOD, None], "target 1: NoneType"),
        ([GOOD, {"boxes": torch.zeros(1, 4)}], r"target 1: a dict of \['boxes'\]"),
        ([GOOD | {"boxes": torch.zeros(2, 5)}, GOOD], r"target 0: boxes \(2, 5\), labels \(2,\)"),
        ([GOOD | {"labels": torch.zeros(3).long()}, GOOD], r"target 0: boxes \(2, 4\), labels \(3,\)"),
        ([GOOD | {"labels": [0, 0]}, GOOD], "target 0: boxes Tensor, labels list"),
        ([GOOD | {"labels": torch.zeros(2)}, GOOD], r"labels torch\.float32"),
        ([GOOD | {"boxes": torch.zeros(2, 4).long()}, GOOD], r"boxes torch\.int64"),
    ],
)
def test_targets_of_another_form(targets, said):
    with pytest.raises(ShapeError, match=said + r".*; expected a list of 2 dicts: boxes \(N, 4\)"):
        check_detections(targets, 2)
