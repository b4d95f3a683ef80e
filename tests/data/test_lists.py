"""TDFusion's lists of images with their boxes: as labels, as a split, as both."""

import re

import pytest
import torch
from PIL import Image

from metaloss.data import PairedDataset, check_dataset, read_list
from metaloss.data.annotations import detect_format
from metaloss.data.list_lines import split_line
from metaloss.errors import DataError

LINES = "00003.png 1,2,20,30,0 5,5,9,12,1\r\n00001.png 4,4,8,8,1\r\n00007.png"


@pytest.fixture
def root(tmp_path):
    for folder in ("ir", "vi"):
        (tmp_path / folder).mkdir()
        for number in (1, 2, 3, 5, 7):
            Image.new("L", (64, 48), 90).save(tmp_path / folder / f"{number:05}.png")
    (tmp_path / "train.txt").write_bytes(LINES.encode())
    (tmp_path / "classes.txt").write_text("person\ncar\n")
    return tmp_path


def test_a_list_is_labels_and_split_in_one(root):
    dataset = PairedDataset(root, target="train.txt")
    assert [pair.name for pair in dataset.pairs] == ["00003", "00001", "00007"]
    assert dataset.classes == ("person", "car")
    target = dataset[0]["target"]
    assert target["boxes"].tolist() == [[1, 2, 20, 30], [5, 5, 9, 12]]
    assert target["labels"].tolist() == [0, 1]
    assert (target["boxes"].dtype, target["labels"].dtype) == (torch.float32, torch.int64)
    assert dataset[2]["target"]["boxes"].shape == (0, 4)
    check_dataset(dataset)


def test_which_scenes_of_a_list(root):
    (root / "few.txt").write_text("00001\n")
    for split, names in (
        ("few.txt", ["00001"]),
        ("train.txt", ["00003", "00001", "00007"]),
        (root / "train.txt", ["00003", "00001", "00007"]),
        ("[:2]", ["00003", "00001"]),
        ("[-1:]", ["00007"]),
    ):
        dataset = PairedDataset(root, target="train.txt", split=split)
        assert [pair.name for pair in dataset.pairs] == names
    (root / "few.txt").write_text("00001\n00002\n")
    with pytest.raises(DataError, match=r"train\.txt has no labels for 00002: .*missing='empty'"):
        PairedDataset(root, target="train.txt", split="few.txt")
    dataset = PairedDataset(root, target="train.txt", split="few.txt", missing="empty")
    assert [len(item["target"]["labels"]) for item in dataset] == [1, 0]


def test_a_list_as_the_split_of_other_labels(root):
    (root / "labels").mkdir()
    for name in ("00003", "00001", "00007"):
        (root / "labels" / f"{name}.txt").write_text("1 .5 .5 .2 .2")
    dataset = PairedDataset(root, target="labels", split="train.txt")
    assert [pair.name for pair in dataset.pairs] == ["00003", "00001", "00007"]
    assert len(PairedDataset(root, target=None, split="train.txt")) == 3


def test_the_format_is_found_or_told(root):
    assert detect_format(root / "train.txt") == "list"
    (root / "boxes.lst").write_text("00003.png 1,2,20,30,0\n")
    assert len(PairedDataset(root, target="boxes.lst", labels="list")) == 1
    with pytest.raises(DataError, match="ir: is a folder, and no list of images and boxes"):
        PairedDataset(root, target="ir", labels="list", split="[:1]")


@pytest.mark.parametrize(
    ("line", "name", "boxes"),
    [
        ("a.png 1,2,3,4,0 5,6,7,8,1", "a.png", ["1,2,3,4,0", "5,6,7,8,1"]),
        ("a.png", "a.png", []),
        ("my image, no 3.png  1,2,3,4,0", "my image, no 3.png", ["1,2,3,4,0"]),
        ("ir/a.png\t1.5,2,3,4e1,0", "ir/a.png", ["1.5,2,3,4e1,0"]),
        ("a.png 1,2,3,4", "a.png 1,2,3,4", []),
        ("scene 5", "scene 5", []),
    ],
)
def test_lines(line, name, boxes):
    assert split_line(line) == (name, boxes)


def test_names_with_folders_in_front(root):
    (root / "train.txt").write_text(
        "data\\M3FD\\ir\\00003.png 1,2,20,30,0\n/home/me/00001.png 1,2,20,30,1\n# 00002.png\n\n00007 1,1,5,5,0\n"
    )
    assert list(read_list(root / "train.txt")) == ["00003", "00001", "00007"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("00005.png 1,2,20,30", "line 4: '1,2,20,30' is not five numbers; expected `name x1,y1,x2,y2,class ...`"),
        ("00005.png 1,2,20,30,0,9", "line 4: '1,2,20,30,0,9' is not five numbers"),
        ("00005.png 1,2,x,30,0", "line 4: '1,2,x,30,0' is not five numbers"),
        ("00005.png 1,2,nan,30,0", "line 4: '1,2,nan,30,0' is not five numbers"),
        ("00005.png 1,2,--3,30,0", "line 4: '1,2,--3,30,0' is not five numbers"),
        ("00005.png 1,2,1e999,30,0", "line 4: '1,2,1e999,30,0'; expected"),
        ("00005.png 1,2,20,30,0.5", "the class a whole number from 0"),
        ("00005.png 1,2,20,30,-1", "line 4: class -1; expected 0..1 (2 classes)"),
        ("00005.png 1,2,20,30,2", "line 4: class 2; expected 0..1 (2 classes)"),
        ("00005.png 30,20,10,12,0", "line 4: the box ends (10, 12) before it begins (30, 20); expected"),
        ("00003.jpg 1,2,20,30,0", "line 4: '00003' is listed twice"),
        ("00005.png 300,200,310,212,0", "line 4: 1 of 1 box vanishes (1 outside of the image)"),
    ],
)
def test_a_wrong_line_is_named(root, line, said):
    (root / "train.txt").write_bytes(f"{LINES}\r\n{line}\r\n".encode())
    with pytest.raises(DataError, match=rf"train\.txt, {re.escape(said)}" if said.startswith("line") else said):
        check_dataset(PairedDataset(root, target="train.txt", split="[:]"))


def test_a_list_without_boxes(root):
    (root / "train.txt").write_text("00001.png\n00003.png\n")
    with pytest.raises(DataError, match=r"train\.txt: names 2 images and not one box; expected `name x1"):
        PairedDataset(root, target="train.txt")
    (root / "train.txt").write_bytes(b"\xff\xfe\x81")
    with pytest.raises(DataError, match=r"train\.txt: cannot be read as text"):
        read_list(root / "train.txt")


def test_classes_of_a_list_picked_by_name(root):
    with pytest.raises(DataError, match=r"train\.txt, line 1: class 0 \(person\) is not among car: name all classes"):
        PairedDataset(root, target="train.txt", classes=("car",))
    with pytest.warns(UserWarning, match=r"train\.txt: 1 box is left out.*0 \(person\) 1 \(first: .*, line 1\)"):
        dataset = PairedDataset(root, target="train.txt", classes=("car",), others="drop")
    assert [item["target"]["labels"].tolist() for item in dataset] == [[0], [0], []]
