"""Which of a file's numbers become 0 and 1."""

import re

import numpy as np
import pytest
import torch
from PIL import Image

from metaloss.data import read_image
from metaloss.data.ranges import FULL, SourceRange, ranges_of, source_range
from metaloss.errors import ConfigError, DataError

DATA, COUNTS, PERCENTILES = SourceRange("data"), SourceRange("numbers", 7000, 9000), SourceRange("percentiles", 1, 99)


@pytest.mark.parametrize(
    ("given", "expected", "text"),
    [
        ("full", FULL, "full"),
        ("data", DATA, "data"),
        ((7000, 9000), COUNTS, "7000,9000"),
        ([np.int64(7000), np.float32(9000)], COUNTS, "7000,9000"),
        ("7000, 9000", COUNTS, "7000,9000"),
        ((-20.5, 120), SourceRange("numbers", -20.5, 120), "-20.5,120"),
        (("percentiles", 1, 99), PERCENTILES, "percentiles,1,99"),
        ("percentiles,0.5,99.5", SourceRange("percentiles", 0.5, 99.5), "percentiles,0.5,99.5"),
        (COUNTS, COUNTS, "7000,9000"),
    ],
)
def test_forms(given, expected, text):
    assert source_range(given) == expected
    assert str(expected) == text
    assert source_range(text) == expected


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("dat", "range='dat' (did you mean 'data'?): expected 'full', 'data', (low, high)"),
        ("percentile,1,99", "(did you mean 'percentiles'?)"),
        ((9000, 7000), "range=(9000, 7000): expected low below high"),
        ((5, 5), "expected low below high"),
        (("percentiles", 1, 101), "expected two percentages in their order"),
        (("percentiles", 1), "expected 'full'"),
        ((0, float("nan")), "expected 'full'"),
        ((True, 5), "expected 'full'"),
        ("", "expected 'full'"),
        (None, "range=None: expected 'full'"),
        (3, "range=3: expected 'full'"),
    ],
)
def test_what_is_no_range(given, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        source_range(given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("data", (DATA, DATA)),
        ((7000, 9000), (COUNTS, COUNTS)),
        (("percentiles", 1, 99), (PERCENTILES, PERCENTILES)),
        (("data", "full"), (DATA, FULL)),
        ([["percentiles", 1, 99], [7000, 9000]], (PERCENTILES, COUNTS)),
        ({"ir": (7000, 9000)}, (COUNTS, FULL)),
        ({"vi": "data", "ir": "full"}, (FULL, DATA)),
        ({1: "data"}, (FULL, DATA)),
        ({"0": "7000,9000"}, (COUNTS, FULL)),
        ({}, (FULL, FULL)),
    ],
)
def test_for_each_source(given, expected):
    assert ranges_of(given, ("ir", "vi")) == expected


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"irr": "data"}, "range of 'irr': no such source (did you mean 'ir'?); they are ir, vi"),
        ({2: "data"}, "range of 2: no such source"),
        (("data", "data", "full"), "3 ranges for 2 sources (ir, vi)"),
        (None, "range=None"),
    ],
)
def test_ranges_that_fit_no_source(given, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        ranges_of(given, ("ir", "vi"))


@pytest.fixture
def counts(tmp_path):
    """14-bit counts in a 16-bit file."""
    values = np.random.default_rng(0).integers(7000, 9001, (20, 30)).astype(np.uint16)
    values[0, :2] = 7000, 9000
    Image.fromarray(values).save(tmp_path / "a.png")
    return values


def read(path, given):
    image = read_image(path, range=given)
    assert image.dtype == torch.float32
    assert 0 <= image.min() <= image.max() <= 1
    return image.double().numpy()


def test_counts(counts, tmp_path):
    path, exact = tmp_path / "a.png", counts.astype(float)
    assert torch.equal(read_image(path, range="full"), read_image(path))
    np.testing.assert_allclose(read(path, "full")[0], exact / 65535, atol=1e-7)
    for given in ("data", (7000, 9000), ("percentiles", 0, 100)):
        np.testing.assert_allclose(read(path, given)[0], (exact - 7000) / 2000, atol=1e-6)
    np.testing.assert_allclose(read(path, (7500, 8000))[0], ((exact - 7500) / 500).clip(0, 1), atol=1e-6)
    low, high = np.percentile(exact, (10, 80))
    np.testing.assert_allclose(
        read(path, ("percentiles", 10, 80))[0], ((exact - low) / (high - low)).clip(0, 1), atol=1e-6
    )


def test_8_bits_and_the_channels_of_a_colour_image_together(tmp_path):
    rgb = np.random.default_rng(0).integers(50, 150, (8, 9, 3), dtype=np.uint8)
    rgb[0, 0] = 40, 100, 200
    Image.fromarray(rgb).save(tmp_path / "a.png")
    expected = (rgb.astype(float).transpose(2, 0, 1) - 40) / 160
    for given in ("data", (40, 200)):
        np.testing.assert_allclose(read(tmp_path / "a.png", given), expected, atol=1e-6)


@pytest.mark.parametrize("values", [
    np.linspace(285.15, 310.4, 12, dtype=np.float32),  # kelvins
    np.linspace(-12.5, 40, 12, dtype=np.float32),  # degrees
    np.linspace(100_000_007, 100_000_999, 12).astype(np.int32),  # more than float32 holds
    np.linspace(-300, 500, 12).astype(np.int32),
])  # fmt: skip
def test_numbers_without_a_full_scale(tmp_path, values):
    path = tmp_path / "a.tif"
    Image.fromarray(values.reshape(3, 4)).save(path)
    with pytest.raises(
        DataError, match=r"a\.tif: .*give range=\(.*\), or limits that suit all files, or range='data' \(--range"
    ):
        read_image(path)
    low, high = float(values[0]), float(values[-1])
    expected = ((values.astype(float) - low) / (high - low)).reshape(3, 4)
    for given in ("data", (low, high)):
        np.testing.assert_allclose(read(path, given)[0], expected, atol=2e-6)


def test_one_number_alone(tmp_path):
    Image.new("L", (4, 3), 77).save(tmp_path / "flat.png")
    for given in ("data", ("percentiles", 1, 99)):
        assert read(tmp_path / "flat.png", given).max() == 0
    assert read(tmp_path / "flat.png", (0, 154)).max() == pytest.approx(0.5)
    spot = np.full((40, 40), 8000, np.uint16)
    spot[3, 4] = 9000
    Image.fromarray(spot).save(tmp_path / "spot.png")
    assert np.argwhere(read(tmp_path / "spot.png", ("percentiles", 1, 99))[0] == 1).tolist() == [[3, 4]]


def test_floating_point_that_is_not_finite(tmp_path):
    Image.fromarray(np.array([[290, np.nan]], np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match=r"a\.tif: pixels that are NaN or infinite"):
        read_image(tmp_path / "a.tif", range="data")
