import numpy as np
import pytest
import torch
from PIL import Image

import metaloss
from metaloss.colour import luma, rgb_to_ycbcr
from metaloss.data import read_image
from metaloss.inference.fuse import fuse_any_size
from metaloss.networks import ReFusionNet
from metaloss.runtime import files

STEP = 1 / 255


def opened(path):
    with Image.open(path) as image:
        image.load()
        return image


def picture(path, *shape, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def test_folders(command, scenes, weights, tmp_path):
    done = command("fuse", scenes / "ir", scenes / "vi", "--weights", weights, "--out", tmp_path / "out")
    assert (done.status, done.err) == (0, "")
    assert done.out == f"6 fused images in {tmp_path / 'out'}/\n"
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == [f"{k:02d}.png" for k in range(6)]
    network = metaloss.plugins.load_fusion(weights)
    sources = [read_image(scenes / folder / "03.png").unsqueeze(0) for folder in ("ir", "vi")]
    written = opened(tmp_path / "out" / "03.png")
    assert written.mode == "L"
    expected = fuse_any_size(network, sources)[0].clamp(0, 1)
    assert (read_image(tmp_path / "out" / "03.png") - expected).abs().max() <= 0.5 * STEP + 1e-6


def test_single_files_of_any_names_and_suffixes(command, weights, tmp_path):
    picture(tmp_path / "thermal.bmp", 20, 24)
    picture(tmp_path / "day.jpg", 20, 24, 3)
    done = command(
        "fuse", tmp_path / "thermal.bmp", tmp_path / "day.jpg", "--weights", weights, "--out", tmp_path / "a" / "b"
    )
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("1 fused image in ")
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["thermal.png"]
    assert opened(tmp_path / "a" / "b" / "thermal.png").mode == "RGB"


@pytest.mark.parametrize("size", [(17, 31), (8, 8), (33, 65)])
def test_odd_sizes(command, weights, tmp_path, size):
    picture(tmp_path / "ir" / "x.png", *size)
    picture(tmp_path / "vi" / "x.png", *size, seed=1)
    assert (
        command("fuse", tmp_path / "ir", tmp_path / "vi", "--weights", weights, "--out", tmp_path / "out").status == 0
    )
    assert opened(tmp_path / "out" / "x.png").size == (size[1], size[0])


def test_sizes_may_differ_from_pair_to_pair(command, weights, tmp_path):
    for name, size in (("a", (16, 20)), ("b", (20, 16))):
        picture(tmp_path / "ir" / f"{name}.png", *size)
        picture(tmp_path / "vi" / f"{name}.png", *size, seed=1)
    assert (
        command("fuse", tmp_path / "ir", tmp_path / "vi", "--weights", weights, "--out", tmp_path / "out").status == 0
    )
    assert opened(tmp_path / "out" / "b.png").size == (16, 20)


def test_equal_sources_come_back_in_their_own_colour(command, mean, tmp_path):
    pixels = picture(tmp_path / "a.png", 24, 20, 3)
    done = command("fuse", tmp_path / "a.png", tmp_path / "a.png", "--weights", mean, "--out", tmp_path / "out")
    assert done.status == 0, done.err
    assert np.array_equal(np.asarray(opened(tmp_path / "out" / "a.png")), pixels)


def test_one_coloured_source_gives_its_chroma_and_grey_drops_it(command, mean, tmp_path):
    rgb = np.random.default_rng(0).integers(100, 156, (24, 20, 3), dtype=np.uint8)  # nothing is clipped
    Image.fromarray(rgb).save(tmp_path / "vi.png")
    grey = np.full((24, 20), 128, dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "ir.png")
    sources = (tmp_path / "ir.png", tmp_path / "vi.png")
    command("fuse", *sources, "--weights", mean, "--out", tmp_path / "out")
    y, chroma = rgb_to_ycbcr(read_image(tmp_path / "vi.png"))
    fused, kept = rgb_to_ycbcr(read_image(tmp_path / "out" / "ir.png"))
    assert (kept - chroma).abs().max() <= STEP
    assert (fused - (y + 128 * STEP) / 2).abs().max() <= STEP
    command("fuse", *sources, "--weights", mean, "--out", tmp_path / "grey", "--colour", "grey")
    assert opened(tmp_path / "grey" / "ir.png").mode == "L"
    assert (read_image(tmp_path / "grey" / "ir.png") - (y + 128 * STEP) / 2).abs().max() <= STEP


def test_stretch(command, mean, tmp_path):
    pixels = np.linspace(90, 140, 24 * 20).reshape(24, 20).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    command(
        "fuse",
        tmp_path / "a.png",
        tmp_path / "a.png",
        "--weights",
        mean,
        "--out",
        tmp_path / "out",
        "--stretch",
        "minmax",
    )
    stretched = np.asarray(opened(tmp_path / "out" / "a.png")).astype(float)
    assert (stretched.min(), stretched.max()) == (0, 255)
    assert np.abs(stretched - (pixels - 90.0) / 50 * 255).max() <= 0.5 + 1e-3
    Image.new("L", (20, 24), 77).save(tmp_path / "flat.png")
    sources = (tmp_path / "flat.png", tmp_path / "flat.png")
    assert command("fuse", *sources, "--weights", mean, "--out", tmp_path / "out", "--stretch", "minmax").status == 0


def test_sixteen_bit_and_three_sources(command, tmp_path):
    spec = {"fusion": {"name": "refusion", "arguments": {"sources": 3}}}
    weights = tmp_path / "three.pth"
    files.save(weights, {"fusion": ReFusionNet(sources=3).state_dict(), "metaloss": spec})
    Image.fromarray(np.random.default_rng(0).integers(0, 2**16, (16, 16), dtype=np.uint16)).save(tmp_path / "deep.png")
    picture(tmp_path / "a.png", 16, 16)
    picture(tmp_path / "b.png", 16, 16)
    sources = [tmp_path / name for name in ("deep.png", "a.png", "b.png")]
    assert command("fuse", *sources, "--weights", weights, "--out", tmp_path / "out").status == 0
    assert (tmp_path / "out" / "deep.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("weights", "sources", "expected"),
    [
        ("ReFusion_IVIF.pth", ("IVIF/infrared", "IVIF/visible"), "IVIF_00710N.npy"),
        ("ReFusion_MIF.pth", ("MIF/CT_PET_SPECT", "MIF/MRI"), "MIF_MRI_PET_14.npy"),
    ],
)
def test_published_weights_give_the_published_images(command, real_data, tmp_path, weights, sources, expected):
    root = real_data("refusion_official")
    folders = [root / source for source in sources]
    out = tmp_path / "out"
    done = command("fuse", *folders, "--weights", root / weights, "--out", out, "--colour", "grey")
    assert (done.status, done.err) == (0, "")
    [file] = out.iterdir()
    raw = torch.from_numpy(np.load(root / "expected" / expected))
    assert (read_image(file)[0] - raw.clamp(0, 1)).abs().max() <= 0.5 * STEP + 1e-4


def test_a_published_network_keeps_colour(command, real_data, tmp_path):
    root = real_data("refusion_official")
    folders = (root / "MIF" / "CT_PET_SPECT", root / "MIF" / "MRI")
    options = ("--weights", root / "ReFusion_MIF.pth", "--out", tmp_path / "out", "--stretch", "minmax")
    assert command("fuse", *folders, *options).status == 0
    [file] = (tmp_path / "out").iterdir()
    fused = luma(read_image(file))
    raw = torch.from_numpy(np.load(root / "expected" / "MIF_MRI_PET_14.npy"))
    stretched = (raw - raw.min()) / (raw.max() - raw.min())
    clipped = (read_image(file) <= 0).any(0) | (read_image(file) >= 1).any(0)
    assert (fused[0] - stretched)[~clipped].abs().max() <= STEP


def test_patterns_whose_names_differ_fuse_and_are_evaluated(command, weights, tmp_path):
    for number, name in enumerate(("01", "a b")):
        for source in ("ir", "vi"):
            picture(tmp_path / "d" / f"{name}_{source}.png", 24, 24, seed=number)
    sources = (tmp_path / "d" / "*_ir.png", tmp_path / "d" / "*_vi.png")
    done = command("fuse", *sources, "--weights", weights, "--out", tmp_path / "out")
    assert (done.status, done.err) == (0, "")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["01.png", "a b.png"]
    done = command("evaluate", *sources, "--fused", tmp_path / "out", "--format", "csv")
    assert done.status == 0, done.err
    assert [line.split(",")[0] for line in done.out.splitlines()[1:]] == ["01", "a b", "mean"]


def test_links_that_lead_nowhere_are_refused(command, weights, tmp_path):
    for source in ("ir", "vi"):
        picture(tmp_path / source / "a.png", 24, 24)
        (tmp_path / source / "b.png").symlink_to("/nonexistent/b.png")
    for name in ("", "*.png", "b.png"):
        sources = (tmp_path / "ir" / name, tmp_path / "vi" / name)
        done = command("fuse", *sources, "--weights", weights, "--out", tmp_path / "out")
        assert done.status == 2
        assert "ir/b.png: " in done.err
        assert "a link to /nonexistent/b.png, which is not there" in done.err
        assert not (tmp_path / "out").exists()
