"""Sources that use only a few per cent of their range."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from metaloss.data import PairedDataset


def scenes(root, thermal, count=3):
    noise = np.random.default_rng(0)
    for folder in ("ir", "vi"):
        (root / folder).mkdir(parents=True)
    for number in range(count):
        values = thermal(noise.random((16, 20)), number)
        Image.fromarray(values).save(root / "ir" / f"{number}.{'tif' if values.dtype == np.float32 else 'png'}")
        Image.fromarray(noise.integers(0, 256, (16, 20), dtype=np.uint8)).save(root / "vi" / f"{number}.png")
    return root


def counts(values, number):
    return (7000 + 300 * number + 500 * values).astype(np.uint16)


def assert_silent(root, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return PairedDataset(root, target=None, **options)


def test_14_bits_in_16_are_told_once_with_the_cure(tmp_path):
    scenes(tmp_path, counts)
    low = min(np.asarray(Image.open(path)).min() for path in (tmp_path / "ir").iterdir())
    with pytest.warns(UserWarning, match=r"ir/0\.png: its values, 70\d\d to 74\d\d, use 0\.7\d % of its range") as told:
        dataset = PairedDataset(tmp_path, target=None)
    items = [dataset[number] for number in range(3)]
    assert len(told) == 1
    text = str(told[0].message)
    assert "0 to 65535 (3 of 3 files looked at are like that)" in text
    assert f"range='data' takes each image's own minimum and maximum, range=({low}, 8" in text
    assert items[0]["sources"][0].std() < 0.003
    cured = assert_silent(tmp_path, range={"ir": "data"})
    assert cured[0]["sources"][0].std() > 0.25
    assert torch.equal(cured[0]["sources"][1], items[0]["sources"][1])
    assert_silent(tmp_path, range={"ir": (7000, 8100)})


def test_a_range_that_misses_the_numbers(tmp_path):
    scenes(tmp_path, counts)
    with pytest.warns(UserWarning, match=r"use 0 % of its range, 0 to 1 "):
        PairedDataset(tmp_path, target=None, range={"ir": (0, 1)})


def test_what_is_left_alone(tmp_path):
    assert_silent(scenes(tmp_path / "full", lambda values, number: (65535 * values).astype(np.uint16)))
    assert_silent(scenes(tmp_path / "flat", lambda values, number: np.full(values.shape, 8000, np.uint16)))
    assert_silent(scenes(tmp_path / "mask", lambda values, number: (3 * values).astype(np.uint8)))
    assert_silent(
        scenes(tmp_path / "one", lambda values, number: (255 * values if number else 9 * values).astype(np.uint8))
    )
    lamp = np.zeros((16, 20), np.uint8)
    lamp[4, 4] = 200
    assert_silent(scenes(tmp_path / "night", lambda values, number: lamp))
    broken = scenes(tmp_path / "broken", counts, count=1)
    (broken / "ir" / "0.png").write_bytes(b"no image")
    assert_silent(broken)


def test_8_bits_and_floating_point(tmp_path):
    with pytest.warns(UserWarning, match=r"% of its range, 0 to 255 "):
        PairedDataset(scenes(tmp_path / "a", lambda values, number: (90 + 9 * values).astype(np.uint8)), target=None)
    with pytest.warns(UserWarning, match=r"% of its range, 0 to 1 "):
        PairedDataset(scenes(tmp_path / "b", lambda values, number: (0.02 * values).astype(np.float32)), target=None)
