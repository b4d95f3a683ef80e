"""LabelMe, YOLO, Pascal VOC and COCO to masks and boxes."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from metaloss.data import PairedDataset, check_dataset, read_ids, read_yolo
from metaloss.data.convert import convert_labels
from metaloss.errors import ConfigError, DataError

pytestmark = pytest.mark.filterwarnings(  # a handful of labels, and doubts about them
    "ignore:.*no (pixel|box) in the labels of", "ignore:.*holds 0 and 255 alone"
)


def labelme(folder, size=(20, 40), **files):
    """Writes shapes, each a label, a kind and points."""
    folder.mkdir(exist_ok=True)
    for name, shapes in files.items():
        entries = [{"label": label, "shape_type": kind, "points": points} for label, kind, points in shapes]
        sides = {} if size is None else {"imageHeight": size[0], "imageWidth": size[1]}
        (folder / f"{name}.json").write_text(json.dumps({"shapes": entries, "imageData": None, **sides}))
    return folder


def yolo(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, lines in files.items():
        (folder / f"{name}.txt").write_text("\n".join(lines))
    return folder


def loaded(root, target):
    """The targets that a data set reads, of a and b, and the names of its classes."""
    dataset = PairedDataset(root, target=target, classes=f"{target}/classes.txt")
    check_dataset(dataset)
    return [dataset[number]["target"] for number in (0, 1)], dataset.classes


def boxes(target):
    return [
        (number, *(round(value, 3) for value in box))
        for number, box in zip(target["labels"].tolist(), target["boxes"].tolist(), strict=True)
    ]


SHAPES = {
    "a": [
        ("person", "polygon", [[2, 2], [12, 2], [12, 12], [2, 12]]),
        ("car", "rectangle", [[20, 15], [8, 6]]),
        ("path", "linestrip", [[0, 0], [5, 5]]),
    ],
    "b": [("person", "circle", [[30, 10], [30, 15]])],
}


def test_labelme_to_ids(root):
    outcome = convert_labels(labelme(root / "json", **SHAPES), root / "label")
    (first, second), classes = loaded(root, "label")
    assert classes == ("background", "car", "person")
    expected = np.zeros((20, 40), dtype=int)
    expected[2:12, 2:12] = 2
    expected[6:15, 8:20] = 1  # later shapes lie over earlier ones
    assert (first.numpy() == expected).all()
    assert (second == 2).sum().item() == pytest.approx(np.pi * 25, rel=0.05)
    assert second[10, 30] == 2
    assert +outcome.left_out == {"linestrip: has no area": 1}
    assert [outcome.found_in[number] for number in range(3)] == [2, 1, 2]


def test_labelme_to_boxes(root):
    convert_labels(labelme(root / "json", **SHAPES), root / "boxes", to="boxes")
    (first, second), classes = loaded(root, "boxes")
    assert classes == ("car", "person")
    assert boxes(first) == [(1, 2, 2, 12, 12), (0, 8, 6, 20, 15)]
    assert boxes(second) == [(1, 25, 5, 35, 15)]


def test_classes_of_labelme(root):
    folder = labelme(root / "json", **SHAPES)
    (root / "labels.txt").write_text("__ignore__\n_background_\nperson\nbus\n")
    outcome = convert_labels(folder, root / "label", classes=str(root / "labels.txt"))
    (first, _), classes = loaded(root, "label")
    assert classes == ("_background_", "person", "bus")
    assert outcome.left_out["class car"] == 1
    assert (first[2:12, 2:12] == 1).all()
    assert outcome.warnings == [f"no object of the class 'bus' is in the labels in {folder}"]
    convert_labels(folder, root / "label", classes="person", others="ignore", overwrite=True)
    assert (loaded(root, "label")[0][0][6:15, 8:20] == 255).all()
    convert_labels(folder, root / "boxes", to="boxes", classes="thing=car+person")
    assert [number for number, *_ in boxes(loaded(root, "boxes")[0][0])] == [0, 0]


def test_a_class_that_is_nearly_there_is_warned_of_and_none_at_all_is_an_error(root):
    folder = labelme(root / "json", **SHAPES)
    [warning] = convert_labels(folder, root / "label", classes="Person,car").warnings
    assert warning.endswith("(did you mean 'person'?)")
    with pytest.raises(ConfigError, match="none of them is among car, person"):
        convert_labels(folder, root / "label", classes="Person", overwrite=True)


def test_sizes_of_labelme(root):
    folder = labelme(root / "json", None, **SHAPES)
    with pytest.raises(DataError, match="sizes of images are needed, which these labels do not say: give their folder"):
        convert_labels(folder, root / "label")
    assert not (root / "label").exists()
    convert_labels(folder, root / "label", images=root / "vi")
    assert loaded(root, "label")[0][0].shape == (20, 40)
    wrong = labelme(root / "wrong", (40, 20), **SHAPES)
    with pytest.raises(DataError, match=r"a\.json: written for an image of 20x40 pixels \(width x height\), and"):
        convert_labels(wrong, root / "other", images=root / "vi")
    (root / "vi" / "b.png").write_bytes(b"none")
    with pytest.raises(DataError, match=r"b\.png: cannot be read as an image"):
        convert_labels(folder, root / "other", images=root / "vi")
    (root / "vi" / "b.png").unlink()
    with pytest.raises(DataError, match=r"vi has no image for the labels b: they are found by stem"):
        convert_labels(folder, root / "other", images=root / "vi")


def test_labels_beside_their_images(root):
    labelme(root / "vi", None, **SHAPES)
    convert_labels(root / "vi", root / "label")
    assert loaded(root, "label")[0][0].shape == (20, 40)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("L", (20, 40)).save(root / "vi" / "a.png", exif=turned)  # a camera held upright
    convert_labels(root / "vi", root / "label", overwrite=True)
    assert read_ids(root / "label" / "a.png").shape == (20, 40)


def test_what_lies_outside_is_counted(root):
    far = [[[50, 5], [60, 9]], [[38, 5], [60, 9]], [[5, 5], [5.2, 5.3]], [[35, 15], [42, 25]]]
    folder = labelme(root / "json", a=[("car", "rectangle", points) for points in far], b=[])
    outcome = convert_labels(folder, root / "boxes", to="boxes")
    (first, second), _ = loaded(root, "boxes")
    assert boxes(first) == [(0, 35, 15, 40, 20)]
    assert boxes(second) == []
    assert +outcome.left_out == {"mostly outside the image, or thinner than a pixel": 3}
    outcome = convert_labels(folder, root / "label")
    assert +outcome.left_out == {"outside the image, or with no pixel's centre in it": 2}


LINES = {
    "a": ["0 .25 .5 .1 .2", "1 .1 .1 .5 .1 .3 .9", "2 .5 .2 .8 .5 .5 .8 .2 .5"],
    "b": ["0 .5 .5 .4 .4 .4 .4 2 .6 .6 1 0 0 0", ""],
}


def test_yolo_to_boxes(root):
    yolo(root / "txt", **LINES)
    (root / "classes.txt").write_text("person\ncar\nship\n")
    outcome = convert_labels(root / "txt", root / "boxes")
    (first, second), classes = loaded(root, "boxes")
    assert boxes(first) == [(0, 8, 8, 12, 12), (1, 4, 2, 20, 18), (2, 8, 4, 32, 16)]
    assert boxes(second) == [(0, 12, 6, 28, 14)]
    assert classes == ("person", "car", "ship")
    lines = (
        f"lines: 1 boxes, 1 boxes with keypoints, 2 polygons or corners; names: the classes in {root / 'classes.txt'}"
    )
    assert lines in outcome.notes


def test_yolo_to_ids(root):
    yolo(root / "txt", a=LINES["a"][1:], b=[])
    with pytest.raises(DataError, match="give their folder as --images"):
        convert_labels(root / "txt", root / "label", to="ids")
    convert_labels(root / "txt", root / "label", to="ids", images=root / "ir")
    (first, second), classes = loaded(root, "label")
    assert classes == ("background", "0", "1", "2")  # nobody named them
    assert first[10, 20] == 3
    assert first[2, 6] == 2
    assert not second.any()
    yolo(root / "txt", a=LINES["a"])
    with pytest.raises(DataError, match=r"a\.txt, line 1: a box, and masks need the outline"):
        convert_labels(root / "txt", root / "other", to="ids", images=root / "ir")


def test_data_yaml_names_the_classes_of_yolo(root):
    (root / "labels").mkdir()
    yolo(root / "labels" / "train", **LINES)
    (root / "data.yaml").write_text("train: images/train\nnc: 3\nnames: {0: person, 1: car, 2: ship}\n")
    convert_labels(root / "labels" / "train", root / "boxes", classes="ship,person")
    (first, _), classes = loaded(root, "boxes")
    assert classes == ("ship", "person")
    assert boxes(first) == [(1, 8, 8, 12, 12), (0, 8, 4, 32, 16)]


def test_plain_boxes_of_yolo(root):
    yolo(root / "txt", a=["1 .25 .5 .1 .2", "0 .5 .5 .2 .2"], b=["3 .1 .1 .1 .1"])
    with pytest.raises(ConfigError, match="all lines are boxes already"):
        convert_labels(root / "txt", root / "boxes")
    with pytest.raises(ConfigError, match=r"'person' is none of the classes in .*, which has no list of names"):
        convert_labels(root / "txt", root / "boxes", classes="person")
    outcome = convert_labels(root / "txt", root / "boxes", classes="person=1,rider=3,other=7")
    (first, second), classes = loaded(root, "boxes")
    assert classes == ("person", "rider", "other")
    assert boxes(first) == [(0, 8, 8, 12, 12)]
    assert boxes(second) == [(1, 2, 1, 6, 3)]
    assert +outcome.left_out == {"class 0": 1}
    assert read_yolo(root / "boxes" / "a.txt").boxes[0] == pytest.approx((0.2, 0.4, 0.3, 0.6))


def voc(name, box, extra=""):
    corners = "".join(
        f"<{key}>{value}</{key}>" for key, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    return f"<object><name>{name}</name>{extra}<bndbox>{corners}</bndbox></object>"


def test_voc(root):
    (root / "xml").mkdir()
    size = "<size><width>40</width><height>20</height></size>"
    things = (
        voc("person", (2, 3, 8, 9)) + voc("dog", (1, 1, 5, 5)) + voc("cat", (1, 1, 5, 5), "<difficult>1</difficult>")
    )
    (root / "xml" / "a.xml").write_text(f"<annotation>{size}{things}</annotation>")
    (root / "xml" / "b.xml").write_text(f"<annotation>{voc('person', (0, 0, 40, 20))}</annotation>")
    with pytest.raises(DataError, match="give their folder as --images"):
        convert_labels(root / "xml", root / "boxes")
    outcome = convert_labels(root / "xml", root / "boxes", classes="person", images=root / "ir")
    (first, second), classes = loaded(root, "boxes")
    assert classes == ("person",)
    assert boxes(first) == [(0, 2, 3, 8, 9)]
    assert boxes(second) == [(0, 0, 0, 40, 20)]
    assert +outcome.left_out == {"class dog": 1, "marked as difficult": 1}
    convert_labels(root / "xml", root / "all", images=root / "ir")
    assert loaded(root, "all")[1] == ("dog", "person")
    (root / "xml" / "b.xml").write_text("<annotation>")
    with pytest.raises(DataError, match=r"b\.xml: cannot be read as xml"):
        convert_labels(root / "xml", root / "other", images=root / "ir")


def test_coco(root):
    content = {
        "images": [{"id": 5, "file_name": "x/a.jpg", "width": 40, "height": 20}, {"id": 6, "file_name": "b.jpg"}],
        "categories": [{"id": 0, "name": "things"}, {"id": 4, "name": "person"}, {"id": 2, "name": "car"}],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 4, "bbox": [2, 3, 6, 6]},
            {"id": 2, "image_id": 5, "category_id": 2, "bbox": [0, 0, 9, 9]},
            {"id": 3, "image_id": 6, "category_id": 4, "bbox": [0, 0, 9, 9], "iscrowd": 1},
        ],
    }
    (root / "coco.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=r"'persom' is none of the categories in .*: things, car, person \(did"):
        convert_labels(root / "coco.json", root / "boxes", classes="persom", images=root / "ir")
    outcome = convert_labels(root / "coco.json", root / "boxes", classes="human=person", images=root / "ir")
    (first, second), classes = loaded(root, "boxes")
    assert classes == ("human",)
    assert boxes(first) == [(0, 2, 3, 8, 9)]
    assert boxes(second) == []
    assert +outcome.left_out == {"class car": 1, "marked as crowds": 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colours": "auto"}, "--colours auto: .* has LabelMe json"),
        ({"others": "nearest"}, "--others nearest: acts on the colours of masks"),
        ({"others": "ignore", "to": "boxes"}, "--others ignore: acts on masks"),
        ({"form": "obb"}, "--form obb: acts on YOLO's lines, and .* has LabelMe json"),
    ],
)
def test_options_without_effect_are_refused(root, options, message):
    with pytest.raises(ConfigError, match=message):
        convert_labels(labelme(root / "json", **SHAPES), root / "out", **options)
    assert not (root / "out").exists()


def test_boxes_are_no_outlines(root):
    (root / "xml").mkdir()
    (root / "xml" / "a.xml").write_text("<annotation></annotation>")
    with pytest.raises(ConfigError, match=r"--to ids: .* has Pascal VOC xml, whose boxes are no outlines"):
        convert_labels(root / "xml", root / "out", to="ids")


def test_every_bad_file_is_counted_and_the_first_is_named(root):
    yolo(root / "txt", a=["0 1 2"], b=["x"], c=["0 .5 .5 .1 .1"])
    message = re.escape(f"{root / 'txt' / 'a.txt'}, line 1:") + r".*\(1 more bad file: .*\)$"
    with pytest.raises(DataError, match=message):
        convert_labels(root / "txt", root / "out")


def test_labels_without_objects(root):
    folder = labelme(root / "json", a=SHAPES["a"][2:], b=[])
    for to in ("ids", "boxes"):
        with pytest.raises(DataError, match="2 files of LabelMe json, and no object of a class in them"):
            convert_labels(folder, root / "out", to=to)
    convert_labels(folder, root / "boxes", to="boxes", classes="person")  # a part of the data in which nobody is
    (first, second), classes = loaded(root, "boxes")
    assert (boxes(first), boxes(second), classes) == ([], [], ("person",))
