import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, PngImagePlugin

from metaloss.data.images import read_image, read_metadata, write_image
from metaloss.data.metadata import NONE, Metadata, merged

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def tagged(path, mode="RGB", **options):
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    exif[0x0112] = 6
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "Tower")
    text.add_itxt("Place", "Zürich")
    given = {"exif": exif, "icc_profile": SRGB, "dpi": (300, 300)} | options
    Image.new(mode, (6, 4), 9).save(path, **given, **({"pnginfo": text} if path.suffix == ".png" else {}))
    return path


def test_reads_everything_but_the_orientation(tmp_path):
    found = read_metadata(tagged(tmp_path / "a.png"))
    assert found.bits == 8
    assert found.profile == SRGB
    assert found.dpi == pytest.approx((300, 300), abs=0.01)
    assert (found.text["Title"], found.text["Place"]) == ("Tower", "Zürich")
    exif = Image.Exif()
    exif.load(found.exif)
    assert exif[0x010F] == "A camera"
    assert exif.get(0x0112, 1) == 1


def test_depth_and_nothing(tmp_path):
    Image.new("L", (3, 2)).save(tmp_path / "a.bmp")
    found = read_metadata(tmp_path / "a.bmp")
    assert (found.bits, found.exif, found.profile, found.text) == (8, b"", b"", {})
    Image.fromarray(np.zeros((2, 3), np.uint16)).save(tmp_path / "a.png")
    assert read_metadata(tmp_path / "a.png").bits == 16


@pytest.mark.parametrize("bits", [8, 16])
def test_png_keeps_it_all(tmp_path, bits):
    metadata = read_metadata(tagged(tmp_path / "a.png"))
    image = torch.rand(3, 4, 6, generator=torch.Generator().manual_seed(0))
    write_image(tmp_path / "b.png", image, bits, metadata=metadata)
    again = read_metadata(tmp_path / "b.png")
    assert again.bits == bits
    assert (again.profile, again.dpi, again.exif) == (metadata.profile, metadata.dpi, metadata.exif)
    assert again.text.items() >= {"Title": "Tower", "Place": "Zürich"}.items()
    assert (read_image(tmp_path / "b.png") - image).abs().max() <= 0.5 / (2**bits - 1) + 1e-6
    assert cv2.imread(str(tmp_path / "b.png"), cv2.IMREAD_UNCHANGED).dtype == (np.uint8 if bits == 8 else np.uint16)


@pytest.mark.parametrize("suffix", ["tif", "jpg"])
def test_other_formats_keep_what_they_hold(tmp_path, suffix):
    metadata = read_metadata(tagged(tmp_path / "a.png"))
    write_image(tmp_path / f"b.{suffix}", torch.rand(3, 4, 6), metadata=metadata)
    again = read_metadata(tmp_path / f"b.{suffix}")
    assert again.profile == SRGB
    assert again.dpi == pytest.approx((300, 300), abs=0.01)
    assert b"A camera" in again.exif
    write_image(tmp_path / "c.bmp", torch.rand(3, 4, 6), metadata=metadata)
    assert read_image(tmp_path / "c.bmp").shape == (3, 4, 6)


def test_a_profile_for_colour_does_not_go_into_a_grey_file(tmp_path):
    write_image(tmp_path / "a.png", torch.rand(1, 4, 6), metadata=Metadata(profile=SRGB))
    assert read_metadata(tmp_path / "a.png").profile == b""


def test_merging():
    grey = b"\0" * 16 + b"GRAY" + b"\0" * 8
    first = Metadata(bits=8, profile=grey, text={"Title": "one"})
    second = Metadata(bits=16, exif=b"Exif", profile=SRGB, dpi=(72, 72), text={"Title": "two", "Author": "me"})
    both = merged([first, second])
    assert both == Metadata(16, b"Exif", SRGB, (72, 72), {"Title": "one", "Author": "me"})
    assert merged([NONE, first]).profile == grey
