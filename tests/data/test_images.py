import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from metaloss.data.images import read_ids, read_image, write_image
from metaloss.errors import ConfigError, DataError, ShapeError


@pytest.fixture
def noise():
    return np.random.default_rng(0)


def one_line(error, path):
    text = str(error.value)
    return "\n" not in text and str(path) in text


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
@pytest.mark.parametrize("channels", [1, 3])
def test_reads_8_bits(tmp_path, noise, suffix, channels):
    pixels = noise.integers(0, 256, (5, 7, channels), dtype=np.uint8)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(pixels.squeeze()).save(path)
    image = read_image(path)
    assert image.dtype == torch.float32
    assert torch.equal(image, torch.from_numpy(pixels).permute(2, 0, 1).float() / 255)


def test_reads_jpeg_of_grey_and_colour(tmp_path):
    Image.new("L", (6, 4), 51).save(tmp_path / "grey.jpg")
    Image.new("RGB", (6, 4), (255, 0, 0)).save(tmp_path / "red.jpg")
    assert torch.allclose(read_image(tmp_path / "grey.jpg"), torch.full((1, 4, 6), 0.2))
    assert torch.allclose(read_image(tmp_path / "red.jpg")[:, 0, 0], torch.tensor([1.0, 0, 0]), atol=0.02)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_keeps_all_16_bits(tmp_path, noise, suffix, channels):
    pixels = noise.integers(0, 65536, (5, 7, channels)).astype(np.uint16)
    path = tmp_path / f"a.{suffix}"
    assert cv2.imwrite(str(path), pixels)
    rgb = pixels if channels == 1 else pixels[..., 2::-1]
    expected = torch.from_numpy(rgb.astype(np.float32)).permute(2, 0, 1) / 65535
    assert torch.equal(read_image(path, channels="rgb"), expected)


def test_16_bit_colour_without_opencv(tmp_path, noise, monkeypatch):
    pixels = noise.integers(0, 65536, (5, 7, 3)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "colour.png"), pixels)
    cv2.imwrite(str(tmp_path / "grey.png"), pixels[..., 0])
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert read_image(tmp_path / "grey.png").shape == (1, 5, 7)
    with pytest.raises(DataError, match="pip install opencv-python") as error:
        read_image(tmp_path / "colour.png")
    assert one_line(error, tmp_path / "colour.png")
    with pytest.raises(DataError, match="pip install opencv-python"):
        write_image(tmp_path / "new.png", torch.zeros(3, 2, 2), bits=16)


@pytest.mark.slow
def test_image_libraries_are_imported_when_needed_only():
    modules = ", ".join(f"metaloss.data.{name}" for name in ("images", "pairing", "dataset", "checks", "synthetic"))
    code = f"import sys; sys.modules['PIL'] = sys.modules['cv2'] = None; import {modules}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_palette_and_transparency_become_colour(tmp_path):
    palette = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.save(tmp_path / "p.png", transparency=b"\x00\xff")
    assert read_image(tmp_path / "p.png")[:, 0].T.tolist() == [[1, 0, 0], [0, 0, 1]]
    Image.new("RGBA", (2, 2), (255, 0, 0, 7)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png")[:, 0, 0].tolist() == [1, 0, 0]
    Image.new("LA", (2, 2), (255, 7)).save(tmp_path / "la.png")
    assert read_image(tmp_path / "la.png").tolist() == torch.ones(1, 2, 2).tolist()


def test_colour_file_of_equal_channels_is_grey(tmp_path, noise):
    grey = noise.integers(0, 65536, (4, 5)).astype(np.uint16)
    Image.fromarray(np.dstack([(grey >> 8).astype(np.uint8)] * 3)).save(tmp_path / "8.png")
    cv2.imwrite(str(tmp_path / "16.png"), np.dstack([grey] * 3))
    assert read_image(tmp_path / "8.png").shape == (1, 4, 5)
    assert torch.equal(read_image(tmp_path / "16.png")[0], torch.from_numpy(grey.astype(np.float32)) / 65535)


def test_applies_the_orientation_mark(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (6, 4)).save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").shape == (1, 6, 4)


def test_floating_point_file_is_read_within_0_and_1_only(tmp_path):
    values = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert torch.equal(read_image(tmp_path / "a.tif")[0], torch.from_numpy(values))
    Image.fromarray(values * 300).save(tmp_path / "kelvin.tif")
    with pytest.raises(DataError, match=r"outside \[0, 1\]") as error:
        read_image(tmp_path / "kelvin.tif")
    assert one_line(error, tmp_path / "kelvin.tif")


def test_refuses_32_bit_integers(tmp_path):
    Image.fromarray(np.full((3, 4), 70000, np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match="32-bit integer") as error:
        read_image(tmp_path / "a.tif")
    assert one_line(error, tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp"])
@pytest.mark.parametrize("read", [read_image, read_ids])
def test_truncated_file(tmp_path, noise, suffix, read):
    whole, half = tmp_path / f"whole.{suffix}", tmp_path / f"half.{suffix}"
    Image.fromarray(noise.integers(0, 256, (64, 64), dtype=np.uint8)).save(whole)
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(DataError, match="damaged, cut short") as error:
        read(half)
    assert one_line(error, half)


def test_truncated_16_bit_colour_file(tmp_path, noise):
    cv2.imwrite(str(tmp_path / "a.png"), noise.integers(0, 65536, (64, 64, 3)).astype(np.uint16))
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match="damaged") as error:
        read_image(tmp_path / "a.png")
    assert one_line(error, tmp_path / "a.png")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_not_an_image(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as an image") as error:
        read_image(tmp_path / "a.png")
    assert one_line(error, tmp_path / "a.png")


def test_missing_file_names_the_nearest(tmp_path):
    Image.new("L", (2, 2)).save(tmp_path / "00123.png")
    with pytest.raises(DataError, match=r"no such file \(did you mean '00123.png'\?\)") as error:
        read_image(tmp_path / "0123.png")
    assert one_line(error, tmp_path / "0123.png")
    with pytest.raises(DataError, match="no such file"):
        read_image(tmp_path / "nowhere" / "a.png")
    with pytest.raises(DataError, match="is a folder"):
        read_image(tmp_path)


@pytest.mark.parametrize("mode", ["L", "P", "1", "I;16", "RGB", "LA"])
def test_ids_are_taken_as_they_are(tmp_path, mode):
    ids = np.array([[0, 1], [1, 0]] if mode == "1" else [[0, 1], [2, 255]], np.uint8)
    image = Image.fromarray(ids)
    if mode == "P":
        image = image.convert("P")
        image.putpalette([200, 10, 10, 10, 200, 10, 10, 10, 200] + [0, 0, 0] * 253)
    elif mode == "1":
        image = Image.fromarray(ids * 255).convert("1")
    elif mode == "I;16":
        image = Image.fromarray(ids.astype(np.uint16))
    elif mode in ("RGB", "LA"):
        image = image.convert(mode)
    image.save(tmp_path / "a.png")
    read = read_ids(tmp_path / "a.png")
    assert read.dtype == torch.int64
    assert read.tolist() == ids.tolist()


@pytest.mark.parametrize("bits", [2, 4])
def test_ids_of_few_bits_are_not_stretched(tmp_path, bits):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = bytes([0b00011011]) if bits == 2 else bytes([0x01, 0x23])
    header = struct.pack(">IIBBBBB", 4, 1, bits, 0, 0, 0, 0)
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    )
    assert read_ids(tmp_path / "a.png").tolist() == [[0, 1, 2, 3]]


def test_ids_in_colours_fractions_or_jpeg_are_refused(tmp_path):
    Image.new("RGB", (2, 2), (128, 64, 32)).save(tmp_path / "rgb.png")
    cv2.imwrite(str(tmp_path / "deep.png"), np.arange(12, dtype=np.uint16).reshape(2, 2, 3))
    Image.new("F", (2, 2), 0.5).save(tmp_path / "f.tif")
    Image.new("L", (2, 2), 1).save(tmp_path / "a.jpg")
    for name, message in (
        ("rgb.png", "expected in one channel"),
        ("deep.png", "expected in one channel"),
        ("f.tif", "floating point"),
        ("a.jpg", "JPEG compression changes class ids"),
    ):
        with pytest.raises(DataError, match=message) as error:
            read_ids(tmp_path / name)
        assert one_line(error, tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "deep/er/a.tiff", "a.bmp", "x" * 251 + ".png"])
@pytest.mark.parametrize("channels", [1, 3])
def test_writes_and_reads_back(tmp_path, name, channels):
    image = torch.rand(channels, 5, 7, generator=torch.Generator().manual_seed(0))
    write_image(tmp_path / name, image)
    assert (read_image(tmp_path / name) - image).abs().max() <= 0.5 / 255 + 1e-6
    assert [file.name for file in (tmp_path / name).parent.iterdir() if file.is_file()] == [name.split("/")[-1]]


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_writes_16_bits(tmp_path, suffix, channels):
    image = torch.rand(channels, 5, 7, generator=torch.Generator().manual_seed(0))
    write_image(tmp_path / f"a.{suffix}", image, bits=16)
    assert (read_image(tmp_path / f"a.{suffix}") - image).abs().max() <= 0.5 / 65535 + 1e-6


def test_writes_jpeg_and_clamps(tmp_path):
    write_image(
        tmp_path / "a.jpg", torch.tensor([-1.0, 2.0]).reshape(1, 1, 2).expand(1, 8, 2).double().requires_grad_()
    )
    assert read_image(tmp_path / "a.jpg")[0, 0].tolist() == pytest.approx([0, 1], abs=0.02)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_refuses_to_write_what_is_not_finite(tmp_path, value):
    with pytest.raises(DataError, match="NaN or infinite") as error:
        write_image(tmp_path / "a.png", torch.full((1, 2, 2), value))
    assert one_line(error, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_refuses_to_write_what_a_format_does_not_hold(tmp_path):
    image = torch.zeros(1, 2, 2)
    with pytest.raises(ConfigError, match=r"a\.gif.*unknown image suffix '\.gif'"):
        write_image(tmp_path / "a.gif", image)
    with pytest.raises(ConfigError, match=r"a\.jpg.*16 bits"):
        write_image(tmp_path / "a.jpg", image, bits=16)
    with pytest.raises(ConfigError, match="12 bits"):
        write_image(tmp_path / "a.png", image, bits=12)
    with pytest.raises(ShapeError, match=r"a\.png.*\(1, 1, 2, 2\)"):
        write_image(tmp_path / "a.png", image[None])
    with pytest.raises(ShapeError, match=r"\(2, 2, 2\)"):
        write_image(tmp_path / "a.png", torch.zeros(2, 2, 2))


def test_a_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(DataError, match="cannot be written") as error:
        write_image(tmp_path / "out" / "a.png", torch.zeros(1, 2, 2))
    assert one_line(error, tmp_path / "out" / "a.png")


def test_replaces_a_file_and_leaves_nothing_beside(tmp_path):
    write_image(tmp_path / "a.png", torch.zeros(1, 2, 2))
    write_image(tmp_path / "a.png", torch.ones(1, 2, 2))
    assert read_image(tmp_path / "a.png").min() == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_real_files(real_data):
    root = real_data("msrs_person")
    infrared, visible = (next((root / name).glob("*.png")) for name in ("ir", "vi"))
    assert read_image(infrared).shape == (1, 480, 640)
    assert read_image(visible).shape == (3, 480, 640)
    assert read_image(next((real_data("m3fd") / "ir").iterdir())).shape[0] == 1
    assert set(read_ids(next((root / "label").glob("*.png"))).unique().tolist()) <= {0, 1}


def test_the_first_of_several_pages_is_read_with_a_warning(tmp_path):
    pages = [Image.new("L", (5, 4), value) for value in (51, 102)]
    for name in ("a.tif", "b.tif"):
        pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
    with pytest.warns(UserWarning, match=r"a\.tif: holds 2 images, of which the first is read"):
        assert read_image(tmp_path / "a.tif").unique().tolist() == pytest.approx([0.2])
    assert read_image(tmp_path / "b.tif").unique().tolist() == pytest.approx([0.2])  # once for a folder


@pytest.mark.parametrize("pixels", [np.ones((4, 5)), np.ones((4, 5, 3), np.float32)], ids=["float64", "colour"])
def test_tiff_that_pillow_does_not_read_says_what_to_save(tmp_path, pixels):
    cv2.imwrite(str(tmp_path / "a.tif"), pixels)
    with pytest.raises(DataError, match="of TIFF, floating point is read of 32 bits in one channel") as error:
        read_image(tmp_path / "a.tif")
    assert one_line(error, tmp_path / "a.tif")
