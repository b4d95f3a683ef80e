"""Lines of YOLO's labels of every task."""

import re

import numpy as np
import pytest

from metaloss.data.convert.boxes import Boxes
from metaloss.data.convert.yolo_lines import drawing, read_lines, settle
from metaloss.errors import DataError

BOX = "0 .5 .5 .2 .4"
TRIANGLE = "1 .1 .1 .5 .1 .3 .9"
CORNERS = "2 .5 .2 .8 .5 .5 .8 .2 .5"
POSE = "0 .5 .5 .4 .4 .4 .4 2 .6 .6 1 0 0 0"  # three keypoints with visibility
EITHER = "0 .5 .5 .4 .4 .4 .45 .6 .6"  # four corners, or a box with two keypoints


def lines(tmp_path, *texts):
    (tmp_path / "a.txt").write_text("\n".join(texts))
    return read_lines(tmp_path / "a.txt")


def forms(tmp_path, *texts, form="auto"):
    return [line.form for line in settle(lines(tmp_path, *texts), form)]


def boxes(tmp_path, *texts, form="auto"):
    found = drawing(tmp_path / "a.txt", settle(lines(tmp_path, *texts), form), ())
    return np.array(Boxes.of(found).boxes)


def test_each_line_by_itself(tmp_path):
    assert forms(tmp_path, BOX, TRIANGLE, "", CORNERS, POSE) == ["box", "polygon", "polygon", "keypoints"]
    assert boxes(tmp_path, BOX, TRIANGLE, CORNERS, POSE) == pytest.approx(
        np.array([(0.4, 0.3, 0.6, 0.7), (0.1, 0.1, 0.5, 0.9), (0.2, 0.2, 0.8, 0.8), (0.3, 0.3, 0.7, 0.7)])
    )


def test_corners_of_a_turned_box_and_a_polygon_of_four_points_have_one_box(tmp_path):
    assert (boxes(tmp_path, CORNERS, form="obb") == boxes(tmp_path, CORNERS, form="polygon")).all()


def test_a_line_that_can_be_either(tmp_path):
    with pytest.raises(
        DataError, match=re.escape("a.txt, line 2: 9 numbers, a polygon as well as a box with keypoints")
    ):
        forms(tmp_path, BOX, EITHER)
    assert boxes(tmp_path, EITHER, form="keypoints") == pytest.approx(np.array([(0.3, 0.3, 0.7, 0.7)]))
    assert boxes(tmp_path, EITHER, form="obb") == pytest.approx(np.array([(0.4, 0.4, 0.6, 0.6)]))
    assert (boxes(tmp_path, EITHER, form="polygon") == boxes(tmp_path, EITHER, form="obb")).all()


def test_other_lines_tell(tmp_path):
    assert forms(tmp_path, EITHER, TRIANGLE) == ["polygon", "polygon"]
    assert forms(tmp_path, EITHER, POSE) == ["polygon", "keypoints"]  # keypoints have one length in a data set
    pair = "0 .5 .5 .4 .4 .4 .45 2 .6 .6 1"
    assert forms(tmp_path, "0 .5 .5 .4 .4 .4 .45 1 .6 .6 1", pair) == ["keypoints", "keypoints"]


def test_many_lines_of_one_length_speak_for_themselves(tmp_path):
    with pytest.raises(DataError, match="line 1: 9 numbers"):
        forms(tmp_path, *[EITHER] * 40, *[TRIANGLE] * 5)
    far = "0 .9 .9 .95 .9 .95 .95 .9 .98"  # no box inside the image
    assert set(forms(tmp_path, *[EITHER] * 40, *[far] * 8)) == {"polygon"}
    with pytest.raises(DataError, match="line 1: 9 numbers"):  # two of 42 may be slips
        forms(tmp_path, *[EITHER] * 40, *[far] * 2)


def test_polygons_as_they_come_need_no_option(tmp_path):
    noise = np.random.default_rng(0)
    texts = []
    for _ in range(200):
        angles = np.sort(noise.uniform(0, 2 * np.pi, noise.integers(3, 9)))
        centre, radius = noise.uniform(0.2, 0.8, 2), noise.uniform(0.02, 0.2)
        points = centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        texts.append(" ".join(["0", *(f"{value:.4f}" for value in points.ravel())]))
    assert set(forms(tmp_path, *texts)) == {"polygon"}


def test_keypoints_as_they_come_are_never_taken_for_polygons(tmp_path):
    noise = np.random.default_rng(0)
    texts = []
    for _ in range(50):
        centre, size = noise.uniform(0.3, 0.7, 2), noise.uniform(0.1, 0.5, 2)
        points = centre + size * noise.uniform(-0.5, 0.5, (5, 2))
        texts.append(" ".join(["0", *(f"{value:.4f}" for value in [*centre, *size, *points.ravel()])]))
    with pytest.raises(DataError, match="say it with --form polygon, --form obb or --form keypoints"):
        forms(tmp_path, *texts)
    assert set(forms(tmp_path, *texts, form="keypoints")) == {"keypoints"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 .1 .1", "has 3 numbers"),
        ("0 .5 .5 .1 .1 .9", "has 6 numbers"),  # a prediction's score
        ("0 .5 .5 1.5 .1", "lies outside 0..1"),
        ("0 .1 .1 .5 .1 .3 9", "lies outside 0..1"),
        ("0 .5 .5 .1 -.1", "lies outside 0..1"),
        ("person .5 .5 .1 .1", "is not all numbers"),
        ("0.5 .5 .5 .1 .1", "class 0.5; expected a whole number from 0"),
        ("-1 .5 .5 .1 .1", "class -1"),
        ("nan .5 .5 .1 .1", "class nan"),
        ("0 .5 .5 .1 nan", "lies outside 0..1"),
    ],
)
def test_lines_that_are_none(tmp_path, text, message):
    with pytest.raises(DataError, match=re.escape(f"{tmp_path / 'a.txt'}, line 2:")) as raised:
        lines(tmp_path, BOX, text)
    assert message in str(raised.value)


@pytest.mark.parametrize(("form", "text"), [("obb", TRIANGLE), ("polygon", POSE), ("obb", POSE)])
def test_lines_that_are_not_of_the_form_that_is_said(tmp_path, form, text):
    with pytest.raises(DataError, match=re.escape("a.txt, line 1:")):
        forms(tmp_path, text, form=form)


def test_a_class_without_a_name(tmp_path):
    with pytest.raises(DataError, match=re.escape("line 1: class 2, and 2 names are known: person, car")):
        drawing(tmp_path / "a.txt", settle(lines(tmp_path, CORNERS)), ("person", "car"))
