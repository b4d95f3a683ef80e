"""What ids and names in label files are in items: mapped, left out, or refused with the file."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from metaloss.data import PairedDataset, check_dataset
from metaloss.data.class_choice import ClassChoice, histogram, ignored_ids
from metaloss.errors import ConfigError, DataError

NAMES = ("soil", "crop", "weed", "stone")


@pytest.fixture
def make(tmp_path):
    """Writes pairs with label images of the rows given, and makes a data set of them."""

    def build(*masks, names=None, dtype=np.uint8, **options):
        for folder in ("ir", "vi", "label"):
            (tmp_path / folder).mkdir(exist_ok=True)
        for number, rows in enumerate(masks):
            pixels = np.array(rows, dtype=dtype)
            for folder in ("ir", "vi"):
                Image.new("L", pixels.shape[::-1], 90).save(tmp_path / folder / f"{number}.png")
            suffix = "tif" if dtype == np.int32 else "png"
            Image.fromarray(pixels).save(tmp_path / "label" / f"{number}.{suffix}")
        if names:
            (tmp_path / "classes.txt").write_text("\n".join(names))
        return PairedDataset(tmp_path, **options)

    return build


def said_by(dataset):
    with warnings.catch_warnings(record=True) as met:
        warnings.simplefilter("always")
        check_dataset(dataset)
    return [str(each.message) for each in met]


@pytest.mark.parametrize(
    ("ignore", "expected"),
    [
        (255, [[0, 1, 2, 255]]),
        (0, None),
        ((0, 255), [[255, 1, 2, 255]]),
        ([255, 2], [[0, 1, 255, 255]]),
        ({0, 1, 255}, [[255, 255, 2, 255]]),
        (range(250, 256), [[0, 1, 2, 255]]),
    ],
)
def test_all_ids_to_ignore_are_255_in_items(make, ignore, expected):
    dataset = make([[0, 1, 2, 255]], classes=3, ignore=ignore)
    if expected is None:
        with pytest.raises(DataError, match=r"0\.png: class id 255 is outside 0\.\.2 .* is not the ignored id 0"):
            dataset[0]
        return
    assert dataset[0]["target"].tolist() == expected
    assert dataset[0]["target"].dtype == torch.int64


def test_nothing_may_be_ignored(make):
    with pytest.raises(DataError, match=r"class id 255 is outside .* the ignored id none"):
        make([[0, 255]], classes=2, ignore=())[0]
    assert make([[0, 1]], classes=2, ignore=())[0]["target"].tolist() == [[0, 1]]


@pytest.mark.parametrize("ignore", [None, "0", 0.5, True, (0, "255"), [None], "void"])
def test_what_cannot_be_ignored(make, ignore):
    with pytest.raises(ConfigError, match=r"ignore=.*expected a class id, a whole number, or several"):
        make([[0, 1]], classes=2, ignore=ignore)


def test_ids_are_given_once():
    assert ignored_ids([3, 3, 255]) == (3, 255)
    assert ignored_ids(7) == (7,)


def test_every_ignored_id_leaves_an_id_outside_to_be_found(make):
    dataset = make([[0, 1]], [[9, 1]], classes=2, ignore=(0, 255))
    with pytest.raises(DataError, match=r"label.1\.png: class id 9 is outside 0\.\.1 .* the ignored id 0, 255"):
        check_dataset(dataset)
    with pytest.raises(DataError, match=r"label.1\.png: class id 9"):
        dataset[1]


@pytest.mark.parametrize("known", [True, False])
def test_negative_ids(make, known):
    dataset = make([[0, -1], [1, -100]], dtype=np.int32, **({"classes": 2} if known else {}))
    with pytest.raises(DataError, match=r"0\.tif: class id -100, -1"):
        dataset[0]
    with pytest.raises(DataError, match=r"0\.tif: class id -100, -1"):
        check_dataset(dataset)
    dataset = make([[0, -1], [1, -100]], dtype=np.int32, ignore=(-1, -100), **({"classes": 2} if known else {}))
    assert dataset[0]["target"].tolist() == [[0, 255], [1, 255]]


def test_ids_of_32_bits(make):
    dataset = make([[0, 2**31 - 1], [1, -(2**31)]], dtype=np.int32, ignore=(2**31 - 1, -(2**31)), classes=2)
    assert dataset[0]["target"].tolist() == [[0, 255], [1, 255]]


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        ([[3, 3], [0, 255]], {0: 1, 3: 2, 255: 1}),
        ([[-5, 2**40], [2**40, 1]], {-5: 1, 1: 1, 2**40: 2}),
        ([[]], {}),
        ([[7]], {7: 1}),
    ],
)
def test_pixels_by_id(ids, found):
    assert histogram(torch.tensor(ids, dtype=torch.int64)) == found


def test_names_pick_from_the_datas_own(make):
    masks = [[0, 1, 2, 255]], [[2, 2, 0, 0]]
    dataset = make(*masks, names=NAMES[:3], classes=("weed", "soil"))
    assert dataset.classes == ("weed", "soil")
    with pytest.raises(DataError, match=r"label.0\.png: class id 1 \(crop\) is not among weed, soil: name all classes"):
        check_dataset(dataset)
    with pytest.raises(DataError, match=r"class id 1 \(crop\) is not among weed, soil.* others='drop'"):
        dataset[0]
    assert dataset[1]["target"].tolist() == [[0, 0, 1, 1]]
    dataset = make(*masks, classes=("weed", "soil"), others="drop")
    assert dataset[0]["target"].tolist() == [[1, 255, 0, 255]]
    assert said_by(dataset) == [
        f"{dataset.pairs[0].target}: has ids of no class that counts, which are left out; pixels in all by id: "
        "1 (crop): 1; the classes are weed, soil"
    ]


def test_names_in_another_order_are_found_by_name(make):
    dataset = make([[0, 1, 2, 3]], names=NAMES, classes=NAMES[::-1])
    assert dataset[0]["target"].tolist() == [[3, 2, 1, 0]]
    assert said_by(dataset) == []


def test_other_names_rename_the_datas_own(make):
    dataset = make([[0, 1, 2, 3]], names=NAMES, classes=("earth", "crop", "herb", "rock"))
    assert dataset[0]["target"].tolist() == [[0, 1, 2, 3]]
    with pytest.raises(
        ConfigError, match=r"'herbs' is not among the data's own soil, crop, weed, stone.*'crop' has an"
    ):
        make(classes=("crop", "herbs"))


def test_others_are_left_out_by_number_where_names_are_unknown(make):
    dataset = make([[0, 5, 7, 1]], [[0, 1, 1, 5]], classes=2, others="drop")
    assert dataset[0]["target"].tolist() == [[0, 255, 255, 1]]
    [said] = said_by(dataset)
    assert "0.png (and 1 more of 2 labels): has ids of no class" in said
    assert "pixels in all by id: 5: 2, 7: 1; the classes are 0, 1" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"others": "dorp", "classes": 2}, "others='dorp': choose one of"),
        ({"others": "drop"}, "others='drop' leaves out what is not among the classes: give classes="),
        ({"missing": "empty", "classes": 2}, "missing='empty' is for boxes, and there are label images"),
        ({"missing": "empty", "target": None}, "missing='empty' is for boxes, and there are no labels"),
        ({"missing": "ignore"}, "missing='ignore': give 'error' or 'empty'"),
        ({"labels": "ids", "target": None}, "labels='ids' with target=None: no labels are read"),
        ({"others": "drop", "classes": 2, "target": None}, "others='drop' with target=None: no labels are read"),
    ],
)
def test_options_without_effect_are_refused(make, options, said):
    with pytest.raises(ConfigError, match=said):
        make([[0, 1]], **options)


def test_more_than_255_classes():
    choice = ClassChoice(tuple(map(str, range(300))))
    assert choice.of_id(255, "a.txt, line 1") == 255
    assert ClassChoice(("a",)).number(255) == -1


def test_ids_that_count_from_one_are_told(make, tmp_path):
    with pytest.raises(DataError, match=r"--classes soil=1,crop=2,weed=3` renumbers"):
        make([[1, 2, 3, 255]], classes=("soil", "crop", "weed"))[0]
    with pytest.raises(DataError, match=r"class id 3 is outside") as error:
        make([[0, 2, 3]], classes=3)[0]
    assert "count from 0" not in str(error.value)
    with pytest.raises(DataError, match=r"class 3; expected 0\.\.2 \(3 classes\), and ids count from 0"):
        ClassChoice(("a", "b", "c")).of_id(3, "x")
