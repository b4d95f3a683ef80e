"""What is doubted in the labels of a whole data set: each said once, with numbers and a file."""

import shutil
import warnings

import numpy as np
import pytest
from PIL import Image

from metaloss.data import PairedDataset, check_dataset
from metaloss.errors import DataError

GOOD = np.arange(12).reshape(3, 4) % 3


@pytest.fixture
def checked(tmp_path):
    """Checks a data set of label images, and gives what is said and the folder of labels."""

    def check(*masks, **options):
        for folder in ("ir", "vi", "label"):
            shutil.rmtree(tmp_path / folder, ignore_errors=True)
            (tmp_path / folder).mkdir()
        for number, mask in enumerate(masks):
            pixels = np.asarray(mask, dtype=np.uint8)
            for folder in ("ir", "vi"):
                Image.new("L", pixels.shape[::-1], 90).save(tmp_path / folder / f"{number}.png")
            Image.fromarray(pixels).save(tmp_path / "label" / f"{number}.png")
        dataset = PairedDataset(tmp_path, **{"classes": 3} | options)
        with warnings.catch_warnings(record=True) as met:
            warnings.simplefilter("always")
            check_dataset(dataset)
        said = [str(each.message) for each in met]
        assert not any("\n" in each for each in said)
        return [each.replace(f"{tmp_path}/", "") for each in said]

    return check


def binary(high=255, shape=(3, 4)):
    mask = np.zeros(shape)
    mask[1, 1:3] = high
    return mask


def test_good_labels_raise_no_doubt(checked):
    assert checked(GOOD, GOOD, GOOD) == []
    assert checked(GOOD, np.where(GOOD == 1, 255, GOOD)) == []
    assert checked(np.zeros((3, 4)), GOOD) == []  # one class alone in a scene is no wonder
    assert checked(GOOD % 2, GOOD) == []


def test_masks_that_are_all_ignored(checked):
    full = np.full((3, 4), 255)
    [said] = checked(GOOD, full, GOOD)
    assert said.startswith("label/1.png: no pixel is of a class, all are the ignored id 255: nothing is learned")
    [said] = checked(full, GOOD, np.zeros((3, 4)), classes=3, ignore=(0, 255))
    assert said.startswith(
        "label/0.png (and 1 more of 3 labels): no pixel is of a class, all are the ignored ids 0, 255"
    )
    with pytest.raises(DataError, match=r"label: no pixel of its 3 labels is of a class, all are the ignored id 255"):
        checked(full, full, full)


@pytest.mark.parametrize("high", [255, 128])
def test_masks_of_black_and_white(checked, high):
    [said] = checked(GOOD, binary(high), GOOD, classes=None)
    assert said.startswith(f"label/1.png: holds 0 and {high} alone")
    assert said.endswith(f"if they are 0 and 1, `metaloss data convert IN OUT --classes 0,{high}` writes class ids")
    assert ("does not count" in said) == (high == 255)


def test_black_and_white_with_classes(checked):
    [said] = checked(GOOD, binary(), binary())
    assert said.startswith("label/1.png (and 1 more of 3 labels): holds 0 and 255 alone, and 255 does not count; if")
    both = checked(binary(), binary(), classes=2)
    assert [each.split(": ")[0] for each in both] == ["label/0.png (and 1 more of 2 labels)", "label"]
    with pytest.raises(DataError, match=r"1\.png: class id 200 is outside 0\.\.1 .*\(0 and 200 alone: if these are 0"):
        checked(GOOD % 2, binary(200), classes=2)
    with pytest.raises(DataError, match=r"class id 255 is outside .* the ignored id 9.*`metaloss data convert IN OUT"):
        checked(GOOD % 2, binary(), classes=2, ignore=9)


def test_two_near_values_are_classes(checked):
    assert checked(GOOD, binary(2)) == []
    assert checked(binary(2), classes=None) == []
    assert checked(GOOD, binary(9), ignore=9) == []


def test_classes_that_never_occur(checked):
    assert checked(GOOD, GOOD % 2, classes=("soil", "crop", "weed", "stone", "water")) == [
        "label: no pixel in the labels of 2 scenes is of stone, water: from these scenes they can be neither learned "
        "nor scored"
    ]
    assert checked(GOOD, GOOD, classes=4) == [
        "label: no pixel in the labels of 2 scenes is of 3: from these scenes it can be neither learned nor scored"
    ]


def test_an_ignored_class_is_not_missed(checked):
    assert checked(GOOD, GOOD, ignore=(0, 255)) == []


def test_one_bad_file_among_doubts_comes_first(checked):
    with pytest.raises(DataError, match=r"2\.png: class id 7"):
        checked(binary(), np.full((3, 4), 255), np.full((3, 4), 7))
