"""What kind of labels a folder holds."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from metaloss.data.convert.sources import find_labels
from metaloss.errors import DataError

TEXTS = {
    "labelme": ("a.json", json.dumps({"shapes": []})),
    "coco": ("any.json", json.dumps({"images": [], "categories": []})),
    "yolo": ("a.txt", "\n0 .5 .5 1e-1 .1\n"),
    "voc": ("a.xml", "<annotation/>"),
}


def image(path):
    Image.fromarray(np.zeros((4, 4), dtype=np.uint8)).save(path)


@pytest.mark.parametrize("kind", TEXTS)
def test_labels_beside_images_and_lists(tmp_path, kind):
    name, text = TEXTS[kind]
    (tmp_path / name).write_text(text)
    image(tmp_path / "a.png")
    (tmp_path / "classes.txt").write_text("1 2 3 4 5\n")
    (tmp_path / "readme.txt").write_text("3 cheers for these five words\n")
    (tmp_path / ".a.json").write_text("{")
    found = find_labels(tmp_path)
    assert found.kind == kind
    assert tmp_path / name in found.files
    assert list(found.pictures) == ["a"]
    assert find_labels(tmp_path / name).kind == kind
    assert find_labels(tmp_path, kind).kind == kind


def test_masks_are_what_lies_there_alone(tmp_path):
    image(tmp_path / "b.PNG")
    image(tmp_path / "a.bmp")
    (tmp_path / "palette.txt").write_text("0 0 0 background\n")
    (tmp_path / "notes.json").write_text("{}")
    found = find_labels(tmp_path)
    assert (found.kind, [file.name for file in found.files]) == ("ids", ["a.bmp", "b.PNG"])
    assert found.other == ("notes.json", "palette.txt")


def test_images_without_objects(tmp_path):
    (tmp_path / "a.txt").write_text("")
    assert find_labels(tmp_path).kind == "yolo"


def test_several_kinds(tmp_path):
    for name, text in (TEXTS["labelme"], TEXTS["voc"]):
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match="labels of several kinds, labelme, voc: say which one with --from"):
        find_labels(tmp_path)
    assert find_labels(tmp_path, "voc").files == (tmp_path / "a.xml",)


def test_nothing_to_be_found(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        find_labels(tmp_path / "no")
    with pytest.raises(DataError, match="is empty"):
        find_labels(tmp_path)
    (tmp_path / "labels" / "train").mkdir(parents=True)
    with pytest.raises(DataError, match=re.escape("no labels in it, but the folders train: give one of them")):
        find_labels(tmp_path / "labels")
    (tmp_path / "a.md").write_text("x")
    with pytest.raises(DataError, match=re.escape("no labels among a.md; expected masks, or LabelMe")):
        find_labels(tmp_path / "a.md")
    with pytest.raises(DataError, match="no COCO json in it"):
        find_labels(tmp_path, "coco")


def test_two_of_one_stem(tmp_path):
    image(tmp_path / "a.png")
    image(tmp_path / "a.bmp")
    with pytest.raises(DataError, match=r"a\.bmp and a\.png have one stem"):
        find_labels(tmp_path)


def test_one_json_file_of_coco(tmp_path):
    for name in ("train", "val"):
        (tmp_path / f"{name}.json").write_text(TEXTS["coco"][1])
    with pytest.raises(DataError, match=r"2 json files, train\.json, val\.json: give one of them"):
        find_labels(tmp_path)
    assert find_labels(tmp_path / "val.json").kind == "coco"
