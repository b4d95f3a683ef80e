"""Boxes of classes that are not wanted, and files that are no boxes: left out and counted, or refused."""

import json
import re

import pytest
from PIL import Image

from metaloss.data import PairedDataset, read_yolo
from metaloss.data.annotations import detect_format
from metaloss.errors import ConfigError, DataError

CLASSES = ("person", "bicycle", "car")


@pytest.fixture
def root(tmp_path):
    for folder in ("ir", "vi", "labels"):
        (tmp_path / folder).mkdir()
    for name in "ab":
        for folder in ("ir", "vi"):
            Image.new("L", (64, 48), 90).save(tmp_path / folder / f"{name}.png")
    return tmp_path


def yolo(root, **lines):
    for name in "ab":
        text = "\n".join(f"{number} .5 .5 .25 .25" for number in lines.get(name, ()))
        (root / "labels" / f"{name}.txt").write_text(text)


def voc(root, **names):
    box = "<bndbox><xmin>4</xmin><ymin>5</ymin><xmax>20</xmax><ymax>25</ymax></bndbox>"
    for name in "ab":
        things = "".join(f"<object><name>{each}</name>{box}</object>" for each in names.get(name, ()))
        (root / "labels" / f"{name}.xml").write_text(f"<annotation>{things}</annotation>")


def coco(root, categories, used, names=("a.png", "b.png")):
    content = {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(names)],
        "annotations": [
            {"id": place, "image_id": place % 2, "category_id": number, "bbox": [5, 5, 20, 20]}
            for place, number in enumerate(used)
        ],
        "categories": categories,
    }
    (root / "labels" / "all.json").write_text(json.dumps(content))


def category(number, name, above=None):
    return {"id": number, "name": name, **({"supercategory": above} if above else {})}


def labels(dataset):
    return [item["target"]["labels"].tolist() for item in dataset]


ROBOFLOW = [category(0, "vehicles", "none"), category(1, "person", "vehicles"), category(2, "car", "vehicles")]


@pytest.mark.parametrize("categories", [ROBOFLOW, [{**each, "supercategory": "x"} for each in ROBOFLOW]])
def test_unused_categories_are_passed_over_where_classes_are_named(root, categories):
    coco(root, categories, [1, 2, 2])
    dataset = PairedDataset(root, target="labels", classes=("person", "car"))
    assert (dataset.classes, labels(dataset)) == (("person", "car"), [[0, 1], [1]])
    dataset = PairedDataset(root, target="labels", classes=("car", "person"))
    assert labels(dataset) == [[1, 0], [0]]


def test_roboflows_name_of_all_classes_is_none_of_them(root):
    coco(root, ROBOFLOW, [1, 2, 2])
    dataset = PairedDataset(root, target="labels")
    assert (dataset.classes, labels(dataset)) == (("person", "car"), [[0, 1], [1]])
    assert PairedDataset(root, target="labels", classes=2).classes == ("person", "car")
    with pytest.raises(ConfigError, match=r"2 categories \(person, car\), and classes=3"):
        PairedDataset(root, target="labels", classes=3)
    coco(root, ROBOFLOW, [1, 0, 2])
    assert PairedDataset(root, target="labels").classes == ("vehicles", "person", "car")


@pytest.mark.parametrize(
    "categories",
    [
        [category(0, "truck", "vehicle"), category(1, "person", "human")],
        [category(0, "truck", "none"), category(1, "person", "none")],
        [category(0, "truck"), category(1, "person")],
        [category(5, "person", "none")],
    ],
)
def test_other_categories_stay_classes_although_unused(root, categories):
    coco(root, categories, [categories[-1]["id"]])
    assert PairedDataset(root, target="labels").classes == tuple(each["name"] for each in categories)


def test_a_used_category_that_is_not_named(root):
    coco(root, ROBOFLOW, [1, 2, 2, 1])
    with pytest.raises(DataError, match=r"all\.json, category 2: class 'car' is not among person; .*others='drop'"):
        PairedDataset(root, target="labels", classes=("person",))
    said = (
        r"labels: 2 boxes are left out, of no class that counts: car 2 \(first: .*all\.json, image 'a'\); the classes"
    )
    with pytest.warns(UserWarning, match=said) as met:
        dataset = PairedDataset(root, target="labels", classes=("person",), others="drop")
    assert len(met) == 1
    assert met[0].filename == __file__
    assert labels(dataset) == [[0], [0]]


def test_regions_of_crowds_use_no_category(root):
    coco(root, ROBOFLOW, [1, 2])
    content = json.loads((root / "labels" / "all.json").read_text())
    content["annotations"][1]["iscrowd"] = 1
    (root / "labels" / "all.json").write_text(json.dumps(content))
    assert labels(PairedDataset(root, target="labels", classes=("person",))) == [[0], []]


def test_names_of_xml_files_that_are_left_out(root):
    voc(root, a=("person", "truck", "car"), b=("truck", "bus", "truck"))
    with pytest.raises(DataError, match=r"a\.xml, object 2: class 'truck' is not among .*others='drop'"):
        PairedDataset(root, target="labels", classes=("car", "person"))
    said = r"labels: 4 boxes are left out, .*: truck 3, bus 1 \(first: .*a\.xml\); the classes are car, person"
    with pytest.warns(UserWarning, match=said):
        dataset = PairedDataset(root, target="labels", classes=("car", "person"), others="drop")
    assert labels(dataset) == [[1, 0], []]


@pytest.mark.parametrize("where", ["classes.txt", "data.yaml"])
def test_ids_of_yolo_by_the_datas_own_names(root, where):
    yolo(root, a=(0, 2, 2), b=(1,))
    names = "\n".join(CLASSES) if where == "classes.txt" else f"names: [{', '.join(CLASSES)}]"
    (root / where).write_text(names)
    assert labels(PairedDataset(root, target="labels")) == [[0, 2, 2], [1]]
    with pytest.raises(DataError, match=r"b\.txt, line 1: class 1 \(bicycle\) is not among person, car: name all"):
        PairedDataset(root, target="labels", classes=("person", "car"))
    with pytest.warns(UserWarning, match=r"1 box is left out.*: 1 \(bicycle\) 1 \(first: .*b\.txt\)"):
        dataset = PairedDataset(root, target="labels", classes=("person", "car"), others="drop")
    assert labels(dataset) == [[0, 1, 1], []]


def test_ids_of_yolo_without_names(root):
    yolo(root, a=(0, 7), b=(1,))
    with pytest.raises(DataError, match=r"a\.txt, line 2: class 7; expected 0\.\.1 \(2 classes\): .*others='drop'"):
        PairedDataset(root, target="labels", classes=2)
    with pytest.warns(UserWarning, match="1 box is left out, of no class that counts: 7 1 "):
        dataset = PairedDataset(root, target="labels", classes=2, others="drop")
    assert labels(dataset) == [[0], [1]]


def test_ignored_ids_of_boxes_are_left_out(root):
    yolo(root, a=(0, 1, 1), b=(-1, 9))
    with pytest.raises(DataError, match=r"b\.txt, line 1: class -1; expected"):
        PairedDataset(root, target="labels", classes=2, ignore=(1, 9))
    with pytest.warns(UserWarning, match=r"4 boxes are left out, .*: 1 2, -1 1, 9 1 \(first: .*a\.txt\)"):
        dataset = PairedDataset(root, target="labels", classes=2, ignore=(1, -1, 9))
    assert labels(dataset) == [[0], []]


@pytest.mark.parametrize("write", [lambda root: voc(root, a=("person",)), lambda root: coco(root, ROBOFLOW, [1])])
def test_labels_with_names_have_no_ids_to_ignore(root, write):
    write(root)
    with pytest.raises(ConfigError, match=r"ignore=0: these labels have classes by name: .*others='drop'"):
        PairedDataset(root, target="labels", classes=("person",), ignore=0)
    PairedDataset(root, target="labels", classes=("person",), ignore=(255,))


def test_names_of_files_as_windows_writes_them(root):
    coco(root, ROBOFLOW, [1, 2], names=("JPEGImages\\a.png", "C:\\data\\b.webp"))
    assert labels(PairedDataset(root, target="labels")) == [[0], [1]]


def polygon(*points):
    return " ".join(f"{value}" for point in points for value in point)


BOX = "0 0.5 0.5 0.4 0.6"
KEYPOINTS = [(0.35, 0.3), (0.65, 0.4), (0.5, 0.75), (0.4, 0.6)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"0 {polygon((0.1, 0.1), (0.5, 0.1), (0.3, 0.6))}", "7 values, a polygon of 3 points"),
        (
            f"0 {polygon((0.4, 0.4), (0.5, 0.4), (0.55, 0.5), (0.5, 0.6), (0.4, 0.5))}",
            "11 values, a polygon of 5 points",
        ),
        (f"0 {polygon(*[(0.4 + k % 3 / 50, 0.5 + k / 100) for k in range(8)])}", "17 values, a polygon of 8 points"),
        (f"0 {polygon((0.45, 0.45), (0.55, 0.45), (0.55, 0.55), (0.45, 0.55))}", r"9 values, a turned box \(OBB\)"),
        (f"0 {polygon((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))}", r"9 values, a turned box \(OBB\)"),
        (f"{BOX} {polygon(*KEYPOINTS)}", "13 values, a polygon of 6 points or a box with keypoints"),
        (f"{BOX} {polygon(*KEYPOINTS[:3], (0, 0))}", "13 values, a polygon of 6 points or a box with keypoints"),
        (
            f"{BOX} {' '.join(f'{x} {y} {k % 3}' for k, (x, y) in enumerate(KEYPOINTS))}",
            "17 values, a box with keypoints",
        ),
        (f"{BOX} 0.4 0.4 2", "8 values, a box with keypoints"),
        (f"{BOX} {'0 0 0 ' * 17}", "56 values, a box with keypoints"),
    ],
)
def test_lines_that_are_no_boxes_say_what_they_look_like(root, line, said):
    file = root / "labels" / "a.txt"
    file.write_text(f"{BOX}\n{line}\n")
    match = rf"{re.escape(str(file))}, line 2: {said}.*by the look of it: `metaloss data convert` makes boxes of them"
    with pytest.raises(DataError, match=match):
        read_yolo(file)


def test_lines_of_predictions_and_of_nothing_known(root):
    file = root / "labels" / "a.txt"
    for line, said in (
        (f"{BOX} 0.97", "6 values, a prediction with its confidence"),
        ("10 10 60 10 60 40 10 40 plane 0", r"10 values, a turned box \(OBB\) of DOTA by the look of it; expected"),
        ("0 1 2", "3 values; expected"),
    ):
        file.write_text(line)
        with pytest.raises(DataError, match=said):
            read_yolo(file)


def test_pixels_in_a_yolo_file(root):
    file = root / "labels" / "a.txt"
    file.write_text("0 320 200 40 80")
    with pytest.raises(
        DataError, match=r"lies outside 0\.\.1; .*; pixels\? divide them by the image's width and height"
    ):
        read_yolo(file)


def labelme(root, name):
    content = {"version": "5", "shapes": [{"label": "person", "points": [[2, 1], [4, 3]]}], "imagePath": f"{name}.png"}
    (root / "labels" / f"{name}.json").write_text(json.dumps(content))


@pytest.mark.parametrize("names", ["ab", "a"])
def test_files_of_labelme(root, names):
    for name in names:
        labelme(root, name)
    with pytest.raises(DataError, match=r"a\.json: a LabelMe file .* `metaloss data convert` makes masks of class ids"):
        PairedDataset(root, target="labels", classes=("bg", "person"))


def test_files_of_labelme_beside_masks(root):
    labelme(root, "a")
    Image.new("L", (64, 48)).save(root / "labels" / "a.png")
    with pytest.raises(DataError, match=r"several formats, a\.json \(LabelMe\), a\.png \(ids\); say which one"):
        detect_format(root / "labels")
    assert detect_format(root / "labels", "ids") == "ids"
