import math
import os
import pickle
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin
from torch import nn

from metaloss.data import read_image
from metaloss.data.images import read_metadata
from metaloss.data.video import VideoReader, VideoWriter
from metaloss.inference.fuse import fuse_any_size
from metaloss.networks import ReFusionNet
from metaloss.plugins import load_fusion


def picture(path, *shape, seed=0, bits=8, **options):
    kind = np.uint8 if bits == 8 else np.uint16
    pixels = np.random.default_rng(seed).integers(0, 2**bits, shape, dtype=kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return pixels


def test_quoted_patterns(command, weights, tmp_path):
    for name in ("a1", "a2", "b1"):
        picture(tmp_path / "ir" / f"{name}.png", 12, 14)
        picture(tmp_path / "vi" / f"{name}.bmp", 12, 14, seed=1)
    sources = (tmp_path / "ir" / "a*", tmp_path / "vi" / "a?.bmp")
    done = command("fuse", *sources, "--weights", weights, "--out", tmp_path / "out")
    assert (done.status, done.err) == (0, "")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a1.png", "a2.png"]


def test_patterns_that_the_shell_has_expanded(refused, weights, tmp_path):
    files = [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    for file in files:
        picture(file, 8, 8)
    message = refused("fuse", *files, "--weights", weights, "--out", tmp_path / "out")
    assert "was trained on 2 sources, and 3 are given (patterns are to be quoted)" in message


def test_pattern_without_match(refused, weights, tmp_path):
    picture(tmp_path / "a.png", 8, 8)
    message = refused("fuse", tmp_path, tmp_path / "x*.png", "--weights", weights, "--out", tmp_path / "out")
    assert message.startswith(f"{tmp_path / 'x*.png'}: no image files")


@pytest.mark.slow
def test_odd_size_481x639(command, weights, tmp_path):
    picture(tmp_path / "ir" / "x.png", 481, 639)
    picture(tmp_path / "vi" / "x.png", 481, 639, 3, seed=1)
    done = command("fuse", tmp_path / "ir", tmp_path / "vi", "--weights", weights, "--out", tmp_path / "out")
    assert (done.status, done.err) == (0, "")
    assert read_image(tmp_path / "out" / "x.png").shape == (3, 481, 639)


def test_16_bit_in_16_bit_out(command, mean, tmp_path):
    deep = picture(tmp_path / "deep.png", 9, 11, bits=16)
    other = picture(tmp_path / "flat.png", 9, 11, seed=1)
    sources = (tmp_path / "deep.png", tmp_path / "flat.png")
    assert command("fuse", *sources, "--weights", mean, "--out", tmp_path / "out").status == 0
    assert read_metadata(tmp_path / "out" / "deep.png").bits == 16
    expected = (deep / 65535 + other / 255) / 2
    assert np.abs(read_image(tmp_path / "out" / "deep.png")[0].numpy() - expected).max() <= 0.51 / 65535
    assert command("fuse", *sources[::-1], "--weights", mean, "--out", tmp_path / "out").status == 0
    assert read_metadata(tmp_path / "out" / "flat.png").bits == 16


def test_16_bit_colour_comes_back_bit_for_bit(command, mean, tmp_path):
    from metaloss.data import write_image

    image = torch.randint(0, 65536, (3, 9, 11), generator=torch.Generator().manual_seed(0)) / 65535
    write_image(tmp_path / "a.tif", image, bits=16)
    source = tmp_path / "a.tif"
    assert command("fuse", source, source, "--weights", mean, "--out", tmp_path / "out").status == 0
    assert torch.equal(read_image(tmp_path / "out" / "a.png"), read_image(source))


def test_grey_stored_as_colour_stays_grey(command, weights, tmp_path):
    for name, seed in (("a.png", 0), ("b.png", 1)):
        grey = np.random.default_rng(seed).integers(0, 256, (10, 12), dtype=np.uint8)
        Image.fromarray(np.dstack([grey] * 3)).save(tmp_path / name)
    done = command(
        "fuse",
        tmp_path / "a.png",
        tmp_path / "b.png",
        "--weights",
        weights,
        "--out",
        tmp_path / "out",
        "--stretch=minmax",
    )
    assert done.status == 0
    assert read_image(tmp_path / "out" / "a.png").shape == (1, 10, 12)


def test_strong_colour_under_a_bright_source_keeps_its_hue(command, mean, tmp_path):
    """Where the channels would leave the range, luma is the fused one and no other hue appears."""
    blue = np.zeros((8, 8, 3), np.uint8)
    blue[..., 2] = 255
    Image.fromarray(blue).save(tmp_path / "vi.png")
    Image.new("L", (8, 8), 255).save(tmp_path / "ir.png")
    command("fuse", tmp_path / "ir.png", tmp_path / "vi.png", "--weights", mean, "--out", tmp_path / "out")
    red, green, blue = read_image(tmp_path / "out" / "ir.png")[:, 0, 0].tolist()
    assert red == pytest.approx(green, abs=1.5 / 255)
    assert blue == 1
    assert 0.299 * red + 0.587 * green + 0.114 * blue == pytest.approx((1 + 0.114) / 2, abs=1 / 255)


def test_metadata_is_kept(command, mean, tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "Tower")
    picture(tmp_path / "ir.png", 8, 8, dpi=(300, 300), pnginfo=text)
    picture(tmp_path / "vi.jpg", 8, 8, 3, exif=exif)
    command("fuse", tmp_path / "ir.png", tmp_path / "vi.jpg", "--weights", mean, "--out", tmp_path / "out")
    found = read_metadata(tmp_path / "out" / "ir.png")
    assert b"A camera" in found.exif
    assert found.text["Title"] == "Tower"
    assert found.dpi == pytest.approx((300, 300), abs=0.01)


@pytest.mark.slow
def test_tiles(command, weights, tmp_path):
    smooth = np.linspace(0, 255, 150 * 130).reshape(150, 130).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "a.png")
    Image.fromarray(smooth.T.reshape(150, 130)).save(tmp_path / "b.png")
    sources = (tmp_path / "a.png", tmp_path / "b.png")
    for out, options in (("whole", ()), ("tiles", ("--tile", "64")), ("one", ("--tile", "150"))):
        assert command("fuse", *sources, "--weights", weights, "--out", tmp_path / out, *options).status == 0
    whole, tiles, one = (read_image(tmp_path / out / "a.png") for out in ("whole", "tiles", "one"))
    assert torch.equal(whole, one)
    assert tiles.shape == whole.shape
    assert 0 < (tiles - whole).abs().mean() < 0.02


def test_a_tile_that_is_too_small(refused, weights, tmp_path):
    picture(tmp_path / "a.png", 8, 8)
    sources = (tmp_path / "a.png", tmp_path / "a.png")
    message = refused("fuse", *sources, "--weights", weights, "--out", tmp_path / "out", "--tile", "3")
    assert message.startswith("--tile 3: a tile has at least 32 pixels")


def test_sources_are_not_written_over(refused, weights, tmp_path):
    picture(tmp_path / "ir" / "a.png", 8, 8)
    picture(tmp_path / "vi" / "a.png", 8, 8)
    before = (tmp_path / "vi" / "a.png").read_bytes()
    message = refused("fuse", tmp_path / "ir", tmp_path / "vi", "--weights", weights, "--out", tmp_path / "vi")
    assert message.startswith(f"--out {tmp_path / 'vi'}: a.png in it is a source")
    assert (tmp_path / "vi" / "a.png").read_bytes() == before


def test_a_shifted_pair_is_warned_of_and_fused(command, mean, tmp_path):
    noise = np.random.default_rng(0)
    pixels = np.zeros((240, 320), np.uint8)
    for top, left, high, wide in noise.integers(0, (240, 320, 60, 60), (60, 4)):
        pixels[top : top + high + 8, left : left + wide + 8] = noise.integers(256)
    for folder, moved in (("ir", 0), ("vi", 14)):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.roll(pixels, moved, axis=1)).save(tmp_path / folder / "a.png")
        Image.fromarray(pixels).save(tmp_path / folder / "b.png")
    done = command("fuse", tmp_path / "ir", tmp_path / "vi", "--weights", mean, "--out", tmp_path / "out")
    assert done.status == 0
    [line] = done.err.splitlines()
    assert line.startswith(f"warning: {tmp_path / 'ir' / 'a.png'} and {tmp_path / 'vi' / 'a.png'} look unregistered")
    assert len(list((tmp_path / "out").iterdir())) == 2


@pytest.mark.slow
@pytest.mark.parametrize(("source", "warned"), [("ir_warp", True), ("ir", False)])
def test_real_warped_pairs_are_warned_of(command, real_data, mean, tmp_path, source, warned):
    root = real_data("msrs_misaligned")
    done = command("fuse", root / source, root / "vi", "--weights", mean, "--out", tmp_path / "out")
    assert done.status == 0
    assert len(done.err.splitlines()) == 2 * warned
    assert all(name in done.err for name in ("00004N.png", "00081D.png")) is warned


class Code:
    def __reduce__(self):
        return (print, ("this ran",))


def test_weights_that_are_none(refused, capsys, weights, tmp_path):
    picture(tmp_path / "a.png", 8, 8)
    whole = weights.read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.pth").write_text("hello")
    (tmp_path / "code.pth").write_bytes(pickle.dumps({"FM.temperature1": Code()}))
    torch.save({"state_dict": Code()}, tmp_path / "torch_code.pth")
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "linear.pth")
    state = ReFusionNet().state_dict() | {"embed.0.weight": torch.ones(3)}
    spec = {"fusion": {"name": "refusion", "arguments": {"sources": 2}}}
    torch.save({"fusion": state, "metaloss": spec}, tmp_path / "shape.pth")
    for name in ("cut", "text", "code", "torch_code", "linear", "shape"):
        source = tmp_path / "a.png"
        message = refused("fuse", source, source, "--weights", tmp_path / f"{name}.pth", "--out", tmp_path / "out")
        assert str(tmp_path / f"{name}.pth") in message
        assert "this ran" not in message
    assert not (tmp_path / "out").exists()


def clip(path, count, size, *, seed=0, colour=True, bits=8, rate=25):
    noise = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 2**bits, (count, 3 if colour else 1, *size), generator=noise) / (2**bits - 1)
    with VideoWriter(path, size=size, rate=Fraction(rate), colour=colour, bits=bits, metadata={"title": "x"}) as writer:
        for image in images:
            writer.write(image)
    return images


def test_video(command, weights, tmp_path):
    infrared = clip(tmp_path / "ir.mkv", 3, (15, 21), colour=False)
    clip(tmp_path / "vi.mkv", 3, (15, 21), seed=1)
    done = command("fuse", tmp_path / "ir.mkv", tmp_path / "vi.mkv", "--weights", weights, "--out", tmp_path / "out")
    assert (done.status, done.err) == (0, "")
    assert done.out == f"3 fused frames in {tmp_path / 'out' / 'ir.mkv'}\n"
    with VideoReader(tmp_path / "out" / "ir.mkv") as reader:
        assert (reader.size, reader.rate, reader.colour, reader.bits) == ((15, 21), 25, True, 8)
        assert reader.metadata["title" if "title" in reader.metadata else "TITLE"] == "x"
        assert len(list(reader)) == 3
    options = ("--weights", weights, "--out", tmp_path / "grey", "--colour", "grey")
    assert command("fuse", tmp_path / "ir.mkv", tmp_path / "ir.mkv", *options).status == 0
    with VideoReader(tmp_path / "grey" / "ir.mkv") as reader:
        assert not reader.colour
        second = list(reader)[1]
    expected = fuse_any_size(load_fusion(weights), [infrared[1:2]] * 2)[0]
    assert (second - expected).abs().max() <= 0.5 / 255 + 1e-5


def test_equal_videos_come_back_bit_for_bit(command, mean, tmp_path):
    images = clip(tmp_path / "a.mkv", 2, (16, 18), bits=16)
    done = command("fuse", tmp_path / "a.mkv", tmp_path / "a.mkv", "--weights", mean, "--out", tmp_path / "out")
    assert done.status == 0, done.err
    with VideoReader(tmp_path / "out" / "a.mkv") as reader:
        assert reader.bits == 16
        torch.testing.assert_close(torch.stack(list(reader)), images, rtol=0, atol=1e-6)


def test_videos_that_do_not_belong_together(command, refused, mean, tmp_path):
    clip(tmp_path / "a.mkv", 4, (16, 18))
    clip(tmp_path / "b.mkv", 4, (16, 20))
    clip(tmp_path / "c.mkv", 2, (16, 18))
    clip(tmp_path / "d.mkv", 2, (16, 18), rate=30)
    picture(tmp_path / "a.png", 16, 18)
    end = ("--weights", mean, "--out", tmp_path / "out")
    assert "b.mkv: 20x16 pixels (width x height), and" in refused("fuse", tmp_path / "a.mkv", tmp_path / "b.mkv", *end)
    assert "d.mkv: 30.000 frames per second" in refused("fuse", tmp_path / "a.mkv", tmp_path / "d.mkv", *end)
    assert "is a video and" in refused("fuse", tmp_path / "a.mkv", tmp_path / "a.png", *end)
    over = ("--weights", mean, "--out", tmp_path)
    assert "a.mkv in it is a source" in refused("fuse", tmp_path / "a.mkv", tmp_path / "c.mkv", *over)
    done = command("fuse", tmp_path / "a.mkv", tmp_path / "c.mkv", *end)
    assert done.status == 0
    assert done.err == f"warning: {tmp_path / 'c.mkv'} ends after 2 frames, before the other; the rest is left out\n"
    (tmp_path / "broken.mkv").write_bytes((tmp_path / "a.mkv").read_bytes()[:60])
    assert "broken.mkv" in refused("fuse", tmp_path / "a.mkv", tmp_path / "broken.mkv", *end)


@pytest.mark.slow
def test_compiled_equals_plain(weights, tmp_path):
    for name, seed in (("a.png", 0), ("b.png", 1)):
        picture(tmp_path / name, 120, 300, seed=seed)
    done = {}
    for out, options in (("plain", []), ("compiled", ["--compile"])):
        arguments = [tmp_path / "a.png", tmp_path / "b.png", "--weights", weights, "--out", tmp_path / out, *options]
        done[out] = subprocess.run(
            [sys.executable, "-m", "metaloss", "fuse", *map(str, arguments)],
            capture_output=True,
            text=True,
            env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")},
        )
        assert done[out].returncode == 0, done[out].stderr
    assert "compiling for 300x120 pixels" in done["compiled"].stderr
    plain, compiled = (read_image(tmp_path / out / "a.png") for out in done)
    assert (plain - compiled).abs().max() <= 1 / 255 + 1e-6
    assert math.isclose(plain.mean(), compiled.mean(), abs_tol=1e-4)
