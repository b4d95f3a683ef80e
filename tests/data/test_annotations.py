"""Box files in the formats that people have, right and wrong."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from metaloss.data import PairedDataset, check_dataset, read_coco, read_voc, read_yolo
from metaloss.data.annotations import detect_format
from metaloss.errors import ConfigError, DataError

CLASSES = ("person", "bicycle", "car")
SIZE = (20, 40)
BOXES = {"a": [(0, (4.0, 2.0, 12.0, 18.0)), (2, (20.0, 5.0, 40.0, 15.0))], "b": [], "c": [(1, (0.0, 0.0, 10.0, 10.0))]}


@pytest.fixture
def root(tmp_path):
    """Three pairs of 40x20 pixels, and the names of their classes."""
    for folder in ("ir", "vi", "labels"):
        (tmp_path / folder).mkdir()
    for name in BOXES:
        for folder in ("ir", "vi"):
            Image.fromarray(np.zeros(SIZE, dtype=np.uint8)).save(tmp_path / folder / f"{name}.png")
    (tmp_path / "classes.txt").write_text("\n".join(CLASSES))
    return tmp_path


def write_yolo(root):
    for name, boxes in BOXES.items():
        lines = [
            f"{label} {(left + right) / 2 / 40} {(top + bottom) / 2 / 20} {(right - left) / 40} {(bottom - top) / 20}"
            for label, (left, top, right, bottom) in boxes
        ]
        (root / "labels" / f"{name}.txt").write_text("\n".join(lines))
    (root / "labels" / "classes.txt").write_text("\n".join(CLASSES))  # as LabelImg leaves it


def voc(boxes, size=SIZE, extra=""):
    things = "".join(
        f"<object><name>{CLASSES[label]}</name>{extra}<bndbox><xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax>"
        f"<ymax>{bottom}</ymax></bndbox></object>"
        for label, (left, top, right, bottom) in boxes
    )
    shape = f"<size><width>{size[1]}</width><height>{size[0]}</height><depth>3</depth></size>" if size else ""
    return f"<annotation>{shape}{things}</annotation>"


def write_voc(root):
    for name, boxes in BOXES.items():
        (root / "labels" / f"{name}.xml").write_text(voc(boxes))


def coco():
    images = [
        {"id": 10 + number, "file_name": f"some/folder/{name}.jpg", "width": 40, "height": 20}
        for number, name in enumerate(BOXES)
    ]
    annotations = [
        {
            "id": 100 * image["id"] + number,
            "image_id": image["id"],
            "category_id": (7, 3, 9)[label],
            "bbox": [left, top, right - left, bottom - top],
        }
        for image, boxes in zip(images, BOXES.values(), strict=True)
        for number, (label, (left, top, right, bottom)) in enumerate(boxes)
    ]
    categories = [{"id": 7, "name": "person"}, {"id": 3, "name": "bicycle"}, {"id": 9, "name": "car"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_coco(root):
    (root / "labels" / "train.json").write_text(json.dumps(coco()))


@pytest.mark.parametrize("write", [write_yolo, write_voc, write_coco])
def test_every_format_gives_the_same_boxes(root, write):
    write(root)
    dataset = PairedDataset(root, target="labels")
    assert dataset.classes == CLASSES
    for item, (name, boxes) in zip(dataset, BOXES.items(), strict=True):
        assert item["names"] == name
        target = item["target"]
        assert target.keys() == {"boxes", "labels"}
        assert (target["boxes"].dtype, target["labels"].dtype) == (torch.float32, torch.int64)
        expected = torch.tensor([box for _, box in boxes]).reshape(-1, 4)
        assert target["boxes"].shape == expected.shape
        assert torch.allclose(target["boxes"], expected, atol=1e-5)
        assert target["labels"].tolist() == [label for label, _ in boxes]
    check_dataset(dataset)


def test_classes_from_cocos_own_categories(root):
    write_coco(root)
    (root / "classes.txt").unlink()
    dataset = PairedDataset(root, target="labels/train.json")
    assert dataset.classes == ("bicycle", "person", "car")  # in the order of their ids
    assert dataset[0]["target"]["labels"].tolist() == [1, 2]
    assert PairedDataset(root, target="labels", classes=3).classes == ("bicycle", "person", "car")
    with pytest.raises(ConfigError, match=r"labels: 3 categories \(bicycle, person, car\), and classes=4"):
        PairedDataset(root, target="labels", classes=4)


def test_which_format_lies_there(root):
    labels = root / "labels"
    assert detect_format(labels) == "ids"
    assert detect_format(root / "absent") == "ids"
    write_yolo(root)
    assert detect_format(labels) == "yolo"
    write_coco(root)
    with pytest.raises(DataError, match=r"several formats, train\.json \(coco\), a\.txt \(yolo\); say which one with"):
        PairedDataset(root, target="labels")
    assert len(PairedDataset(root, target="labels", labels="coco")) == 3
    assert len(PairedDataset(root, target="labels", labels="yolo")) == 3
    with pytest.raises(ConfigError, match=r"labels='yollo': give 'auto', 'ids', .*did you mean 'yolo'"):
        PairedDataset(root, target="labels", labels="yollo")


@pytest.mark.parametrize("write", [write_yolo, write_voc, write_coco])
def test_an_image_without_a_label(root, write):
    write(root)
    if write is write_coco:
        content = coco()
        content["images"], content["annotations"] = content["images"][:2], content["annotations"][:2]
        (root / "labels" / "train.json").write_text(json.dumps(content))
    else:
        [file] = (root / "labels").glob("c.*")
        file.unlink()
    with pytest.raises(DataError, match=r"labels.* has no labels for c: .* missing='empty'"):
        PairedDataset(root, target="labels")
    dataset = PairedDataset(root, target="labels", missing="empty")
    assert dataset[2]["target"]["boxes"].shape == (0, 4)
    assert len(dataset[0]["target"]["boxes"]) == 2
    with pytest.raises(ConfigError, match="missing='none': give 'error' or 'empty'"):
        PairedDataset(root, target="labels", missing="none")


def test_labels_that_belong_to_other_images(root):
    write_yolo(root)
    for number, file in enumerate(sorted((root / "labels").glob("?.txt"))):
        file.rename(file.with_name(f"other_{number}.txt"))
    with pytest.raises(DataError, match=r"has no labels for a, b, c: labels are found by stem, add them$"):
        PairedDataset(root, target="labels", missing="empty")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 0.5 0.5 0.2", "4 values; expected `class x_centre"),
        (
            "0 0.1 0.1 0.2 0.2 0.3 0.3",
            "7 values, a polygon of 3 points or a box with keypoints by the look of it: `metaloss data convert` ",
        ),
        ("0 0.5 0.5 0.2 wide", "'0 0.5 0.5 0.2 wide' is not five numbers"),
        ("3 0.5 0.5 0.2 0.2", r"class 3; expected 0\.\.2 \(3 classes\)"),
        ("0.5 0.5 0.5 0.2 0.2", r"class 0\.5; expected"),
        ("-1 0.5 0.5 0.2 0.2", "class -1; expected"),
        ("inf 0.5 0.5 0.2 0.2", "class inf; expected"),
        ("0 32 0.5 0.2 0.2", r"32 0\.5 0\.2 0\.2 lies outside 0\.\.1"),
        ("0 0.5 0.5 -0.2 0.2", r".*lies outside 0\.\.1"),
        ("0 0.5 nan 0.2 0.2", r".*lies outside 0\.\.1"),
        ("0 0.5 0.5 0.2 -0.0004", r"a box 0\.2 wide and -0\.0004 high; expected"),
    ],
)
def test_a_wrong_line_is_named(root, line, said):
    write_yolo(root)
    file = root / "labels" / "a.txt"
    file.write_text(f"0 0.5 0.5 0.2 0.2\n\n{line}\n")
    with pytest.raises(DataError, match=rf"{re.escape(str(file))}, line 3: {said}"):
        PairedDataset(root, target="labels")


def test_lines_as_programs_write_them(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes(b"\xef\xbb\xbf1.0 0.5  0.5\t0.25 1.0003\r\n")
    read = read_yolo(file)
    assert read.labels == (1,)
    assert read.target((100, 200))["boxes"].tolist() == [[75.0, 0.0, 125.0, 100.0]]
    file.write_text("1e300 0.5 0.5 0.2 0.2")
    with pytest.raises(DataError, match=r"a\.txt, line 1: class 1e300; expected a whole number from 0"):
        read_yolo(file)
    file.write_bytes(b"\xff\xfe\x81")
    with pytest.raises(DataError, match=r"a\.txt: cannot be read as text"):
        read_yolo(file)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<name>car", "<name>cart", "object 2: class 'cart' is not among person, bicycle, car (did you mean 'car'?)"),
        ("<xmin>20.0", "<xmin>x", "object 2: xmin=x, ymin=5.0, xmax=40.0, ymax=15.0; expected four numbers"),
        ("<xmin>20.0</xmin>", "", "object 2: xmin=None"),
        ("<xmin>20.0", "<xmin>41", "object 2: the box ends (40, 15) before it begins (41, 5)"),
        ("<xmin>20.0", "<xmin>nan", "object 2: a box of nan, 5.0, 40.0, 15.0; expected pixels"),
        ("<ymax>15.0", "<ymax>inf", "object 2: a box of 20.0, 5.0, 40.0, inf; expected pixels"),
        ("<annotation>", "<annotation", "cannot be read as xml"),
        ("<annotation>", "<?xml version='1.0' encoding='utf-7'?><annotation>", "cannot be read as xml"),
        ("<annotation>", "<?xml version='1.0' encoding='no-such'?><annotation>", "cannot be read as xml"),
        ("annotation>", "scene>", "a <scene> file; expected Pascal VOC's <annotation>"),
        ("<width>40", "<width>wide", "a <size> of widex20; expected whole numbers"),
    ],
)
def test_a_wrong_xml_file_is_named(root, old, new, said):
    write_voc(root)
    file = root / "labels" / "a.xml"
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(DataError, match=re.escape(str(file)) + ".*" + re.escape(said)):
        PairedDataset(root, target="labels")


def test_xml_files_need_names_of_classes(root):
    write_voc(root)
    (root / "classes.txt").unlink()
    with pytest.raises(ConfigError, match="xml files have classes by name; give classes="):
        PairedDataset(root, target="labels")


def test_difficult_objects_and_crowds_are_left_out(tmp_path):
    file = tmp_path / "a.xml"
    file.write_text(voc(BOXES["a"], extra="<difficult>1</difficult>"))
    assert read_voc(file, CLASSES).labels == ()
    file.write_text(voc(BOXES["a"], size=None, extra="<difficult>0</difficult>"))
    assert read_voc(file, CLASSES).labels == (0, 2)
    content = coco()
    content["annotations"][0]["iscrowd"] = 1
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert read_coco(tmp_path / "a.json", CLASSES)[0]["a"].labels == (2,)


@pytest.mark.parametrize("write", [write_voc, write_coco])
def test_labels_of_an_image_of_another_size(root, write):
    write(root)
    for folder in ("ir", "vi"):
        Image.new("L", (80, 40)).save(root / folder / "a.png")
    dataset = PairedDataset(root, target="labels")
    said = r"labels/.*: written for an image of 40x20 pixels \(width x height\), and the image has 80x40"
    with pytest.raises(DataError, match=said):
        dataset[0]
    with pytest.raises(DataError, match=said):
        check_dataset(dataset)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda all: all.pop("images"), "no list 'images' of entries"),
        (lambda all: all.update(annotations=[1]), "no list 'annotations' of entries"),
        (lambda all: all["categories"][1].pop("name"), r"categories\[1\]: no 'name'"),
        (lambda all: all["annotations"][1].update(image_id=5), r"annotations\[1\] \(id 1001\): image_id 5 is not"),
        (lambda all: all["annotations"][1].update(category_id=1), r"annotations\[1\].*category_id 1 is not listed"),
        (
            lambda all: all["annotations"][2].update(bbox=[1, 2, 3]),
            r"annotations\[2\].*bbox \[1, 2, 3\]; expected left",
        ),
        (lambda all: all["annotations"][2].update(bbox=[1, 2, -3, 4]), "expected left, top, width, height"),
        (lambda all: all["categories"][0].update(name="persons"), r"category 7: class 'persons' is not .*'person'"),
        (lambda all: all["images"][1].update(file_name="x/a.png"), "two images of the stem 'a'"),
        (lambda all: all["images"][1].update(id=[1]), r"images\[1\]: id \[1\]; expected a number or a text"),
        (lambda all: all["images"][1].update(id=10), r"images\[1\]: id 10 is taken by another entry"),
        (
            lambda all: all["images"][1].update(height="tall"),
            r"images\[1\] \(id 11\): height 'tall'; expected",
        ),
        (lambda all: all["images"][1].update(width=-40), r"images\[1\] \(id 11\): width -40; expected a number"),
        (lambda all: all["images"][1].update(width=float("inf")), r"images\[1\] \(id 11\): width inf; expected"),
        (lambda all: all["categories"][1].update(id={}), r"categories\[1\]: id \{\}; expected a number or a text"),
        (lambda all: all["categories"][1].update(id="three"), r"categories: ids 7, 'three', 9: expected numbers alone"),
        (lambda all: all["annotations"][1].update(image_id={"a": 1}), r"image_id \{'a': 1\} is not"),
        (
            lambda all: all["annotations"][1].update(image_id=list(range(99))),
            r"image_id \[0, 1, .* \.\.\. is",
        ),
        (lambda all: all["annotations"][1].update(category_id=[7]), r"annotations\[1\].*category_id \[7\] is not"),
        (
            lambda all: all["annotations"][2].update(bbox=[float("nan"), 2, 3, 4]),
            r"bbox \[nan, 2, 3, 4\]; exp",
        ),
        (
            lambda all: all["annotations"][2].update(bbox=[1, 2, 3, float("inf")]),
            r"bbox \[1, 2, 3, inf\]; exp",
        ),
        (lambda all: all["annotations"][2].update(bbox=[10**400, 2, 3, 4]), r"bbox \[100.* \.\.\.; expected left"),
        (lambda all: all["annotations"][2].update(bbox={"x": 1}), r"bbox \{'x': 1\}; expected left"),
        (lambda all: all["annotations"][2].update(bbox="1234"), "bbox '1234'; expected left"),
    ],
)
def test_a_wrong_entry_is_named(root, change, said):
    content = coco()
    change(content)
    file = root / "labels" / "train.json"
    file.write_text(json.dumps(content))
    with pytest.raises(DataError, match=re.escape(str(file)) + ".*" + said):
        PairedDataset(root, target="labels")


def test_json_that_is_none(root):
    file = root / "labels" / "train.json"
    file.write_text('{\n"images": [\n')
    with pytest.raises(DataError, match=r"train\.json, line 3: cannot be read as json"):
        PairedDataset(root, target="labels")
    for text, said in (
        ("[" * 200_000, "nested too deeply"),
        (f'{{"images": [{"9" * 5000}]}}', "cannot be read as json"),
    ):
        file.write_text(text)
        with pytest.raises(DataError, match=rf"train\.json: .*{said}.*expected COCO's images, categories"):
            PairedDataset(root, target="labels")
    (root / "labels" / "val.json").write_text("{}")
    with pytest.raises(DataError, match=r"expected one json file of annotations, found train\.json, val\.json"):
        PairedDataset(root, target="labels")
    with pytest.raises(DataError, match=r"val\.json: no list 'images'"):
        PairedDataset(root, target="labels/val.json")


def test_real_boxes(real_data):
    dataset = PairedDataset(real_data("msrs_det"), target="labels", split="train.txt")
    assert dataset.classes == CLASSES
    assert len(dataset) == 40
    first = dataset[0]
    assert first["names"] == "00004N"
    assert first["sources"][0].shape == (1, 480, 640)
    assert first["target"]["labels"].tolist() == [0] * 5
    left, top, right, bottom = first["target"]["boxes"][0].tolist()
    assert [(left + right) / 2 / 640, (bottom - top) / 480] == pytest.approx([0.83607, 0.30352], abs=1e-5)
    # people are warm: brighter in the infrared image under their boxes than beside them
    inside, all_over = [], []
    for index in range(6):
        item = dataset[index]
        for box, label in zip(item["target"]["boxes"].round().int().tolist(), item["target"]["labels"], strict=True):
            if label == 0:
                inside.append(item["sources"][0][:, box[1] : box[3], box[0] : box[2]].mean())
                all_over.append(item["sources"][0].mean())
    assert torch.stack(inside).mean() > 1.3 * torch.stack(all_over).mean()


def test_labels_are_called_as_the_scene_or_one_of_its_images(root):
    for name in BOXES:
        for folder in ("ir", "vi"):
            (root / folder / f"{name}.png").rename(root / folder / f"{name}_{folder}.png")
    write_yolo(root)
    sources = ("ir/*_ir.png", "vi/*_vi.png")
    expected = [label for boxes in BOXES.values() for label, _ in boxes]

    def labels(target="labels"):
        return [
            label for item in PairedDataset(root, sources=sources, target=target) for label in item["target"]["labels"]
        ]

    assert labels() == expected
    assert labels("labels/*.txt") == expected
    for name in BOXES:
        (root / "labels" / f"{name}.txt").rename(root / "labels" / f"{name}_vi.txt")
    assert labels() == expected
    assert labels("labels/*_vi.txt") == expected
    (root / "labels" / "a_ir.txt").write_text("")
    with pytest.raises(
        DataError, match=r"a_ir\.txt and a_vi\.txt may both be the label of 'a': .*target='labels/\*_ir\.txt'"
    ):
        labels()
    (root / "labels" / "a_ir.txt").unlink()
    for name in BOXES:
        (root / "labels" / f"{name}_vi.txt").rename(root / "labels" / f"box-{name}.txt")
    with pytest.raises(DataError, match=r"has no labels for a, b, c: .* write target='labels/box-\*\.txt'"):
        labels()
    assert labels("labels/box-*.txt") == expected


def test_coco_names_files_in_folders_of_any_system(root):
    content = coco()
    for image, name in zip(content["images"], BOXES, strict=True):
        image["file_name"] = f"JPEGImages\\night\\{name}.jpg"
    (root / "labels" / "train.json").write_text(json.dumps(content))
    dataset = PairedDataset(root, target="labels")
    assert [item["target"]["labels"].tolist() for item in dataset] == [
        [label for label, _ in b] for b in BOXES.values()
    ]


def test_whole_numbers_that_are_written_as_fractions(tmp_path):
    content = coco()
    for entry in (*content["images"], *content["categories"]):
        entry["id"] = float(entry["id"])
    content["annotations"][0] |= {"image_id": float(content["annotations"][0]["image_id"])}
    (tmp_path / "a.json").write_text(json.dumps(content))
    (tmp_path / "b.json").write_text(json.dumps(coco()))
    found, expected = (read_coco(tmp_path / name, CLASSES)[0] for name in ("a.json", "b.json"))
    assert {stem: (each.boxes, each.labels) for stem, each in found.items()} == {
        stem: (each.boxes, each.labels) for stem, each in expected.items()
    }
    (tmp_path / "a.xml").write_text(
        "<annotation><size><height>20.0</height><width>40.0</width></size></annotation>", encoding="utf-8"
    )
    assert read_voc(tmp_path / "a.xml", CLASSES).size == (20, 40)


def test_all_bad_entries_are_counted(root):
    content = coco()
    for entry in content["annotations"]:
        entry["category_id"] = 99
    count = len(content["annotations"])
    (root / "labels" / "train.json").write_text(json.dumps(content))
    with pytest.raises(
        DataError, match=rf"annotations\[0\].*category_id 99.* \({count - 1} more bad entr.*annotations"
    ):
        PairedDataset(root, target="labels")
    (root / "labels" / "train.json").unlink()
    for name, text in (("a", "9 .5 .5 .1 .1"), ("b", "9 .5 .5 .1 .1"), ("c", "")):
        (root / "labels" / f"{name}.txt").write_text(text)
    with pytest.raises(DataError, match=r"a\.txt, line 1: class 9; .* \(1 more bad file: b\.txt\)$"):
        PairedDataset(root, target="labels")
    (root / "boxes.txt").write_text("a.png 1,2,3,4,9\nb.png 1,2\n")
    with pytest.raises(DataError, match=r"line 1: class 9; .* \(1 more bad line: line 2\)$"):
        PairedDataset(root, target="boxes.txt")


def test_a_class_that_is_hardly_misspelt_is_named_where_others_are_left_out(root):
    write_coco(root)
    with pytest.warns(UserWarning, match=r"left out.*; no box is of 'persn' \(did you mean 'person'\?\)"):
        PairedDataset(root, target="labels", classes=("persn", "car"), others="drop")


def test_xml_without_names_of_classes_says_which_there_are(root):
    write_voc(root)
    (root / "classes.txt").unlink()
    for classes in (None, 3):
        with pytest.raises(ConfigError, match=r"xml files have classes by name; .* \(the first files name .*person"):
            PairedDataset(root, target="labels", classes=classes)


def test_labels_in_folders_of_their_own_and_capitals_in_endings(root):
    (root / "labels" / "train").mkdir()
    (root / "labels" / "train" / "a.txt").write_text("0 .5 .5 .2 .2")
    with pytest.raises(DataError, match=r"labels: no labels in it, but in .*labels/train: give that folder, or write"):
        PairedDataset(root, target="labels")
    write_coco(root)
    [file] = (root / "labels").glob("*.json")
    file.rename(file.with_suffix(".JSON"))
    assert PairedDataset(root, target="labels").annotations


def test_commas_in_the_place_of_blanks(tmp_path):
    (tmp_path / "a.txt").write_text("0,0.5,0.5,0.2,0.2")
    with pytest.raises(DataError, match=r"line 1: 1 values with commas between: write blanks; expected `class"):
        read_yolo(tmp_path / "a.txt")
