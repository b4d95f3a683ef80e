"""Sources that are channels of one file."""

import re
import warnings

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from metaloss.colour import ycbcr_to_rgb
from metaloss.data import PairedDataset, check_dataset, read_image
from metaloss.data.reading import names_with_channels, split_channels
from metaloss.errors import ConfigError, DataError


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (12, 16, 4), dtype=np.uint8)


@pytest.fixture
def root(tmp_path, pixels):
    (tmp_path / "images").mkdir()
    for name in ("a", "b"):
        Image.fromarray(pixels).save(tmp_path / "images" / f"{name}.png")
    return tmp_path


def scaled(values, top=255):
    return torch.from_numpy(values.astype(np.float32)) / top


def test_one_folder_is_two_sources(root, pixels):
    dataset = PairedDataset(root, sources=("images:alpha", "images:rgb"), target=None)
    assert dataset.sources == ("alpha", "rgb")
    check_dataset(dataset)
    thermal, luma = dataset[1]["sources"]
    assert torch.equal(thermal[0], scaled(pixels[..., 3]))
    rgb = ycbcr_to_rgb(luma, dataset[1]["chroma"])
    assert torch.allclose(rgb, scaled(pixels[..., :3]).permute(2, 0, 1), atol=1e-6)
    ranged = PairedDataset(root, sources=("images:alpha", "images:rgb"), target=None, range={"alpha": (100, 200)})
    assert torch.allclose(ranged[0]["sources"][0][0], ((scaled(pixels[..., 3], 1) - 100) / 100).clamp(0, 1))
    assert torch.equal(ranged[0]["sources"][1], luma)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits(tmp_path, suffix):
    pixels = np.random.default_rng(0).integers(0, 65536, (6, 8, 4)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / f"a.{suffix}"), pixels)  # blue, green, red, alpha
    assert torch.equal(read_image(tmp_path / f"a.{suffix}", channels="alpha")[0], scaled(pixels[..., 3], 65535))
    rgb = read_image(tmp_path / f"a.{suffix}", channels="rgb")
    assert torch.equal(rgb, scaled(pixels[..., 2::-1], 65535).permute(2, 0, 1))
    with pytest.warns(UserWarning, match="looks like an image"):
        assert torch.equal(read_image(tmp_path / f"a.{suffix}"), rgb)


def test_grey_with_a_second_channel(tmp_path, pixels):
    Image.fromarray(pixels[..., :2]).save(tmp_path / "a.png")
    assert torch.equal(read_image(tmp_path / "a.png", channels="alpha")[0], scaled(pixels[..., 1]))
    assert torch.equal(read_image(tmp_path / "a.png", channels="rgb")[0], scaled(pixels[..., 0]))


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_a_file_without_a_fourth_channel(tmp_path, mode):
    Image.new(mode, (4, 4)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", channels="rgb").shape == (1, 4, 4)
    with pytest.raises(DataError, match=f"a.png: {mode} pixels, and ':alpha' is the channel that follows"):
        read_image(tmp_path / "a.png", channels="alpha")


def test_an_image_in_the_fourth_channel_is_told_once(root, pixels):
    with pytest.warns(
        UserWarning, match=r"a\.png: its fourth channel, with values from 0 to 255, looks like an image"
    ) as told:
        read_image(root / "images" / "a.png")
    image = read_image(root / "images" / "b.png")
    assert torch.equal(image, scaled(pixels[..., :3]).permute(2, 0, 1))
    assert len(told) == 1
    assert "'images:rgb' and 'images:alpha'" in str(told[0].message)


def test_transparency_is_none(tmp_path, pixels):
    opaque, holes, soft = (np.full((12, 16), 255, np.uint8) for _ in range(3))
    holes[:6] = 0
    soft[:5], soft[5] = 0, np.arange(16) * 15 + 10
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number, alpha in enumerate((opaque, holes, soft, np.full_like(opaque, 7))):
            Image.fromarray(np.dstack([pixels[..., :3], alpha])).save(tmp_path / f"{number}.png")
            image = read_image(tmp_path / f"{number}.png")
            assert torch.equal(image, scaled(pixels[..., :3]).permute(2, 0, 1))


def test_names_are_split(tmp_path):
    (tmp_path / "ir").mkdir()
    (tmp_path / "odd:rgb").mkdir()
    given = ("ir", "ir:rgb", "ir:alpha", "odd:rgb", "absent:rgb", "*/*.png:alpha", "C:/x")
    names, channels = split_channels(given, tmp_path)
    assert names == ["ir", "ir", "ir", "odd:rgb", "absent", "*/*.png", "C:/x"]
    assert channels == [None, "rgb", "alpha", None, "rgb", "alpha", None]
    with pytest.raises(
        ConfigError, match=re.escape("'ir:alfa': 'alfa' are no channels (did you mean 'alpha'?): write")
    ):
        split_channels(["ir:alfa"], tmp_path)
    with pytest.raises(ConfigError, match=r"1 source given \(ir\)"):
        PairedDataset(tmp_path, sources="ir", target=None)


@pytest.mark.parametrize(
    ("names", "channels", "expected"),
    [
        (("images", "images"), ("alpha", "rgb"), ("alpha", "rgb")),
        (("thermal", "images"), (None, "rgb"), ("thermal", "rgb")),
        (("day", "night"), ("rgb", "rgb"), ("day_rgb", "night_rgb")),
        (("rgb", "images"), (None, "rgb"), ("rgb", "images_rgb")),
    ],
)
def test_names_by_channels(names, channels, expected):
    assert names_with_channels(names, channels) == expected


@pytest.mark.parametrize("sources", [None, 3, ("ir", None), {"ir": 1}])
def test_what_names_no_sources(sources):
    with pytest.raises(ConfigError, match="give the names of at least two folders or patterns"):
        split_channels(sources)
