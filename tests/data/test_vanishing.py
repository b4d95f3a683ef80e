"""Boxes that vanish: counted by the rule that cuts them, said with the first file, and refused where most do."""

import json
import random
import warnings

import pytest
import torch
from PIL import Image

from metaloss.data import PairedDataset, Resized, check_dataset, cut_boxes
from metaloss.data.annotations.vanishing import Fate, as_written, fate_of, reason_of
from metaloss.errors import DataError

SIZE = (64, 48)  # width, height
GOOD = ((4, 6, 20, 30), (30, 10, 60, 40), (2, 2, 12, 9))


@pytest.fixture
def root(tmp_path):
    for folder in ("ir", "vi", "labels"):
        (tmp_path / folder).mkdir()
    (tmp_path / "classes.txt").write_text("person\n")
    return tmp_path


def pairs(root, count):
    for number in range(count):
        for folder in ("ir", "vi"):
            Image.new("L", SIZE, 90).save(root / folder / f"{number}.png")


def voc(root, *scenes, size=""):
    pairs(root, len(scenes))
    corners = ("xmin", "ymin", "xmax", "ymax")
    for number, boxes in enumerate(scenes):
        things = "".join(
            "<object><name>person</name><bndbox>"
            + "".join(f"<{name}>{value}</{name}>" for name, value in zip(corners, box, strict=True))
            + "</bndbox></object>"
            for box in boxes
        )
        (root / "labels" / f"{number}.xml").write_text(f"<annotation>{size}{things}</annotation>")


def coco(root, *scenes):
    pairs(root, len(scenes))
    images = [{"id": number, "file_name": f"{number}.png"} for number in range(len(scenes))]
    annotations = [
        {"id": 10 * number + place, "image_id": number, "category_id": 1, "bbox": list(box)}
        for number, boxes in enumerate(scenes)
        for place, box in enumerate(boxes)
    ]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}
    (root / "labels" / "all.json").write_text(json.dumps(content))


def yolo(root, *scenes):
    pairs(root, len(scenes))
    for number, boxes in enumerate(scenes):
        lines = [f"0 {x / SIZE[0]} {y / SIZE[1]} {w / SIZE[0]} {h / SIZE[1]}" for x, y, w, h in boxes]
        (root / "labels" / f"{number}.txt").write_text("\n".join(lines))


def said_by(root):
    with warnings.catch_warnings(record=True) as met:
        warnings.simplefilter("always")
        dataset = PairedDataset(root, target="labels")
        check_dataset(dataset)
        assert sum(len(item["target"]["boxes"]) for item in dataset)
    return [str(each.message).replace(f"{root}/", "") for each in met]


def refused(root):
    """What the check says; an item of the same file has to say it, too."""
    dataset = PairedDataset(root, target="labels")
    with pytest.raises(DataError) as checked:
        check_dataset(dataset)
    with pytest.raises(DataError) as read:
        list(dataset)
    said = str(read.value)
    assert str(checked.value).startswith(said)
    return said.replace(f"{root}/", "")


def test_the_count_is_that_of_the_rule_that_cuts():
    draw = random.Random(3)
    for _ in range(300):
        boxes = []
        for _ in range(draw.randrange(6)):
            left, top = draw.randint(-40, 80), draw.randint(-40, 60)
            boxes.append((left, top, left + draw.choice((0, 0.5, 1, 7, 30)), top + draw.choice((0, 0.5, 1, 7, 30))))
        target = {"boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)}
        fate = fate_of(boxes, SIZE)
        assert fate.boxes - fate.vanished == len(cut_boxes(target, SIZE[::-1])["boxes"]), boxes


def test_boxes_that_do_not_vanish(root):
    voc(root, GOOD, (), GOOD[:1])
    assert said_by(root) == []


def test_vanishing_boxes_are_counted_and_said_once(root):
    voc(root, GOOD, (*GOOD, (70, 50, 90, 60)), (*GOOD, (3, 3, 3, 9), (5, 5, 5.5, 9)), ((8, 8, 8, 8),))
    assert said_by(root) == [
        "labels/1.xml (and 2 more of 4 labels): 4 of 13 boxes vanish (1 outside of the image, 3 less than a pixel wide "
        "or high); they are not in the items"
    ]


def test_one_that_vanishes(root):
    yolo(root, (*((x, y, 4, 4) for x, y in ((9, 9), (20, 20))), (30, 30, 0.2, 5)))
    assert said_by(root) == [
        "labels/0.txt: 1 of 3 boxes vanishes (1 less than a pixel wide or high); they are not in the items"
    ]


@pytest.mark.parametrize("boxes", [((70, 50, 90, 60),), ((70, 50, 90, 60), (1, 1, 9, 9), (-30, 2, -5, 9))])
def test_most_of_a_file_outside(root, boxes):
    voc(root, GOOD, boxes)
    said = refused(root)
    assert said.startswith("labels/1.xml: ")
    assert "outside of the image" in said


def test_a_larger_image_is_guessed(root):
    voc(root, [tuple(4 * value for value in box) for box in GOOD[1:2] * 2])
    assert "they reach to x=240, y=160 in an image of 64x48 (width x height): written for a larger one?" in refused(
        root
    )


@pytest.mark.parametrize("write", [voc, coco])
@pytest.mark.parametrize("count", [1, 3])
def test_parts_in_the_place_of_pixels(root, write, count):
    boxes = ((0.1, 0.2, 0.5, 0.6), (0.4, 0.1, 0.45, 0.2), (0.0, 0.0, 1.0, 1.0))[:count]
    write(root, GOOD if write is voc else ((4, 6, 20, 30),), boxes)
    assert "parts of the image (0..1), and pixels are expected" in refused(root)


def test_y_before_x(root):
    voc(root, [(2, 50, 10, 62), (30, 55, 40, 60)])
    assert "the numbers look like y before x in an image of 64x48" in refused(root)


def test_corners_in_the_place_of_width_and_height(root):
    coco(root, ((4, 6, 16, 24),), ((30, 20, 60, 40), (40, 30, 62, 46), (5, 5, 12, 12)))
    said = refused(root)
    assert said.startswith("labels/all.json, image '1': 2 of 3 boxes")
    assert said.endswith("the numbers look like corners (left, top, right, bottom); expected left, top, width, height")


def test_corners_in_the_place_of_a_middle(root):
    yolo(root, ((44, 30, 62, 46), (50, 20, 63, 40)))
    said = refused(root)
    assert said.startswith("labels/0.txt: ")
    assert said.endswith("look like corners (left, top, right, bottom); expected x_centre, y_centre, width, height")


def test_corners_one_in_each_image_are_seen_in_the_whole(root):
    scenes = [((x, y, x + 20, y + 12),) for x, y in ((22, 30), (24, 26), (28, 24), (3, 2))]
    coco(root, *scenes)
    dataset = PairedDataset(root, target="labels")
    with pytest.raises(DataError, match=r"all\.json, image '0': 3 of all 4 boxes reach over .* look like corners"):
        check_dataset(dataset)


def test_most_of_all_boxes(root):
    voc(root, *(((8, 8, 8.2, 30),) for _ in range(3)), GOOD[:1])
    with pytest.raises(
        DataError, match=r"0\.xml \(and 2 more of 4 labels\): 3 of 4 boxes vanish \(3 less than a pixel"
    ):
        check_dataset(PairedDataset(root, target="labels"))


def test_real_boxes_that_reach_over_the_border_pass(root):
    coco(root, ((50, 30, 15, 20), (-2, 5, 12, 12)), ((0, 0, 64, 48), (40, 20, 25, 29)))
    assert said_by(root) == []


def test_fates_add_up():
    both = Fate(3, 1, 0, 2) + Fate(2, 0, 1, 0)
    assert (both.boxes, both.outside, both.thin, both.as_corners, both.vanished) == (5, 1, 1, 2, 2)
    assert reason_of(Fate(), (), SIZE) == ""


@pytest.mark.parametrize("form", ["corners", "sides", "centre"])
def test_numbers_as_written(form):
    read = {"corners": (4, 6, 20, 30), "sides": (4, 6, 24, 36), "centre": (-6, -9, 14, 21)}[form]
    assert as_written(read, form) == (4, 6, 20, 30)


def test_boxes_that_never_occur_of_a_class(root):
    voc(root, GOOD, GOOD)
    (root / "classes.txt").write_text("person\ncar\n")
    assert said_by(root) == [
        "labels: no box in the labels of 2 scenes is of car: from these scenes it can be neither learned nor scored"
    ]


def test_boxes_that_are_too_small_at_the_tasks_size(root):
    yolo(root, [(32, 24, 20, 20), (20, 20, 1.5, 20)], [(32, 24, 20, 20), (20, 20, 20, 1.5)])
    dataset = PairedDataset(root, target="labels")
    check_dataset(dataset, task_size=(SIZE[1], SIZE[0]))
    with pytest.warns(
        UserWarning, match=r"0\.txt: 1 of 4 boxes is less than a pixel wide or high once .* larger task_s"
    ):
        check_dataset(dataset, task_size=(SIZE[1], SIZE[0] // 2))
    with pytest.warns(UserWarning, match=r"0\.txt \(and 1 more of 2 labels\): 2 of 4 boxes are less than a pixel"):
        check_dataset(dataset, task_size=(SIZE[1] // 2, SIZE[0] // 2))
    assert [len(Resized(dataset, (SIZE[1] // 2, SIZE[0] // 2))[k]["target"]["labels"]) for k in range(2)] == [1, 1]
