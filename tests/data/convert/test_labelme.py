"""LabelMe's json."""

import json
import re

import numpy as np
import pytest

from metaloss.data.convert.labelme import read_labelme
from metaloss.data.convert.shapes import objects
from metaloss.errors import DataError

TRIANGLE = [[1, 1], [9, 1], [5, 8]]


def write(path, *shapes, size=(10, 20), **more):
    entries = [{"label": label, "points": points, "shape_type": kind, **rest} for label, kind, points, rest in shapes]
    sides = {} if size is None else {"imageHeight": size[0], "imageWidth": size[1]}
    path.write_text(
        json.dumps({"version": "5.5.0", "flags": {}, "shapes": entries, "imagePath": "a.png", **sides, **more})
    )
    return path


def shape(label="a", kind="polygon", points=TRIANGLE, **rest):
    return label, kind, points, rest


def test_shapes(tmp_path):
    file = write(
        tmp_path / "a.json",
        shape(),
        shape("b", "rectangle", [[8, 6], [2, 3]]),
        shape("c", "circle", [[5, 5], [8, 5]]),
        shape("d", "rotation", [[1, 1], [3, 2], [2, 4], [0, 3]]),
        shape("e", "rectangle", [[1, 1], [3, 1], [3, 2], [1, 2]]),
        imageData=None,
    )
    found = read_labelme(file)
    assert (found.size, found.normalised, found.left_out) == ((10, 20), False, {})
    assert [(one.label, one.region, one.where) for one in found.shapes][1] == ("b", True, f"{file}, shape 2")
    assert (found.shapes[0].outline == np.array(TRIANGLE)).all()
    boxes = np.array([box for _, box in objects(found)])
    assert boxes == pytest.approx(np.array([(1, 1, 9, 8), (2, 3, 8, 6), (2, 2, 8, 8), (0, 1, 3, 4), (1, 1, 3, 2)]))


def test_what_has_no_area_is_counted(tmp_path):
    flat = [shape(kind=kind) for kind in ("linestrip", "line", "point", "points", "points")]
    found = read_labelme(write(tmp_path / "a.json", *flat, shape(points=TRIANGLE[:2]), shape(), size=None))
    assert len(found.shapes) == 1
    assert found.size is None
    assert found.left_out == {
        "linestrip: has no area": 1,
        "line: has no area": 1,
        "point: has no area": 1,
        "points: has no area": 2,
        "polygon of fewer than three points": 1,
    }


def test_one_group_is_one_object(tmp_path):
    moved = [[x + 10, y] for x, y in TRIANGLE]
    file = write(
        tmp_path / "a.json",
        shape(group_id=1),
        shape("b", group_id=1),
        shape(points=moved, group_id=1),
        shape(points=moved, group_id=None),
    )
    assert objects(read_labelme(file)) == [("a", (1, 1, 19, 8)), ("b", (1, 1, 9, 8)), ("a", (11, 1, 19, 8))]


def test_the_first_versions_say_no_type(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"shapes": [{"label": "a", "points": TRIANGLE}]}))
    assert len(read_labelme(tmp_path / "a.json").shapes) == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (shape(label=""), "shape 1: label ''"),
        (shape(label=3), "shape 1: label 3"),
        (shape(points=[[1, 2, 3]]), "shape 1: points '[[1, 2, 3]]'; expected a list of x and y"),
        (shape(points=[[1, float("nan")]] * 3), "shape 1: points"),
        (shape(points="x"), "shape 1: points 'x'"),
        (shape(kind="circle"), "shape 1: a circle of 3 points"),
        (shape(kind="mask"), "shape 1: shape_type 'mask'; expected a polygon, a rectangle or a circle"),
    ],
)
def test_shapes_that_cannot_be_right(tmp_path, wrong, message):
    file = write(tmp_path / "a.json", wrong)
    with pytest.raises(DataError, match=re.escape(f"{file}, {message}")):
        read_labelme(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 1: cannot be read as json"),
        ("[]", "has no list `shapes`"),
        ('{"shapes": {}}', "has no list `shapes`"),
        ('{"shapes": [3]}', "shape 1: '3'; expected a label"),
        (
            '{"shapes": [], "imageHeight": 0, "imageWidth": 4}',
            "imageHeight 0, imageWidth 4; expected numbers of pixels",
        ),
        ('{"shapes": [], "imageHeight": 5}', "imageHeight 5, imageWidth None"),
        ("[" * 100000, "cannot be read as json"),
    ],
)
def test_files_that_are_none(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=r"a\.json") as raised:
        read_labelme(tmp_path / "a.json")
    assert message in str(raised.value)
