"""``--range``, and the range that a checkpoint remembers; sources in one file of four channels."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

import metaloss
from metaloss.data import PairedDataset, read_image, write_image
from metaloss.networks import ReFusionNet
from metaloss.plugins import load_fusion, load_generator
from metaloss.plugins.trained_range import trained_range
from metaloss.runtime import files


@pytest.fixture
def twins(tmp_path):
    """A thermal scene in 14-bit counts, as it is from the camera, its 8-bit twin, and a grey image."""
    y, x = np.mgrid[:48, :64] / 64
    scene = np.exp(-((x - 0.5) ** 2 + (y - 0.4) ** 2) / 0.02) + 0.3 * np.sin(9 * x + 5 * y)
    eight = np.round(255 * (scene - scene.min()) / np.ptp(scene)).astype(np.uint8)
    for folder, values in (("counts", 7000 + 4 * eight.astype(np.uint16)), ("eight", eight)):
        (tmp_path / folder).mkdir()
        Image.fromarray(values).save(tmp_path / folder / "a.png")
    write_image(tmp_path / "vi" / "a.png", torch.from_numpy(0.5 + 0.5 * np.cos(20 * x * y))[None])
    return tmp_path


def contrast(path):
    return read_image(path)[0].std().item()


@pytest.mark.parametrize("given", ["data", "0=data", "counts=7000,8020", "percentiles,0,100"])
def test_counts_fuse_like_their_8_bit_twin(command, weights, twins, given):
    for thermal, options in (("eight", ()), ("counts", ("--range", given))):
        done = command(
            "fuse", twins / thermal, twins / "vi", "--weights", weights, "--out", twins / f"out_{thermal}", *options
        )
        assert (done.status, done.err) == (0, "")
    eight, counts = (twins / f"out_{thermal}" / "a.png" for thermal in ("eight", "counts"))
    assert contrast(counts) == pytest.approx(contrast(eight), rel=0.02)
    with Image.open(counts) as image:
        assert image.mode == "I;16"


def test_real_pairs_in_14_bit_counts_fuse_like_their_8_bit_twins(command, real_data, tmp_path):
    root, weights = real_data("vifb"), real_data("refusion_official") / "ReFusion_IVIF.pth"
    file = sorted((root / "ir").iterdir())[0]
    with Image.open(file) as image:
        eight = np.asarray(image.convert("L").resize((160, 120)))
    stretched = np.round(255 * (eight - float(eight.min())) / np.ptp(eight)).astype(np.uint8)
    Image.fromarray(stretched).save(tmp_path / "eight.png")
    Image.fromarray(7100 + 5 * stretched.astype(np.uint16)).save(tmp_path / "counts.png")
    with Image.open(next((root / "vi").glob(f"{file.stem}.*"))) as image:
        image.convert("RGB").resize((160, 120)).save(tmp_path / "vi.png")
    found = {}
    for name, options in (("eight", []), ("counts", ["--range", "counts=data"])):
        arguments = [tmp_path / f"{name}.png", tmp_path / "vi.png", "--weights", weights, "--out", tmp_path / "out"]
        assert command("fuse", *arguments, "--colour", "grey", *options).status == 0
        found[name] = contrast(tmp_path / "out" / f"{name}.png")
    assert found["counts"] == pytest.approx(found["eight"], rel=0.02)


def test_a_narrow_source_is_warned_of(command, mean, twins):
    done = command("fuse", twins / "counts", twins / "vi", "--weights", mean, "--out", twins / "out")
    assert done.status == 0
    [line] = done.err.splitlines()
    assert line.startswith(f"warning: {twins / 'counts' / 'a.png'}: its values, 7000 to 8020, use 1.6 % of its range")
    assert "--range data takes each image's own minimum and maximum, --range 7000,8020 the same for all" in line


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["dat"], "--range dat: range='dat' (did you mean 'data'?)"),
        (["irr=data"], "--range irr=data: range of 'irr': no such source (did you mean 'ir'?); they are ir, vi"),
        (["data", "vi=full"], "--range data --range vi=full: give one RANGE for all sources, or SOURCE=RANGE once"),
        (["ir=data", "ir=full"], "give one RANGE for all sources, or SOURCE=RANGE once for each"),
        (["9,3"], "expected low below high"),
    ],
)
def test_ranges_that_are_none(refused, scenes, weights, given, said):
    options = [text for each in given for text in ("--range", each)]
    told = refused("fuse", scenes / "ir", scenes / "vi", "--weights", weights, "--out", scenes / "out", *options)
    assert said in told


@pytest.fixture
def trained(twins):
    """A checkpoint of the library's own training on counts."""
    data = PairedDataset(twins, sources=("counts", "vi"), target=None, range={"counts": "data"})
    learner = metaloss.MetaLearner(
        fusion=ReFusionNet(), loss=metaloss.LearnableFusionLoss(), task=metaloss.build_task("reconstruction")
    )
    pairs = metaloss.data.Joined([data, data])
    learner.fit(pairs, epochs=1, meta_steps=0, task_size=16, work_dir=twins / "work")
    return twins / "work" / "epoch_1.pth"


def test_a_checkpoint_remembers_the_range(command, twins, trained):
    assert files.load(trained)["metaloss"]["data"]["range"] == ["data", "full"]
    for network in (load_fusion(trained), load_generator(trained)):
        assert list(map(str, trained_range(network, ("a", "b")))) == ["data", "full"]
        assert list(map(str, trained_range(network, ("vi", "counts")))) == ["full", "data"]  # by name
    sources = (twins / "counts", twins / "vi")
    done = command("fuse", *sources, "--weights", trained, "--out", twins / "own")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[0] == (
        f"range: counts=data vi=full, as {trained} was trained with; --range takes another"
    )
    for name, given in (("same", "counts=data"), ("other", "full")):
        done = command("fuse", *sources, "--weights", trained, "--out", twins / name, "--range", given)
        assert done.status == 0
        assert "range:" not in done.out
    own, same, other = (read_image(twins / name / "a.png") for name in ("own", "same", "other"))
    assert torch.equal(own, same)
    assert not torch.equal(own, other)


def test_weights_are_drawn_by_the_range_of_training(command, refused, twins, trained):
    sources, out = (twins / "counts", twins / "vi"), ("--out", twins / "maps")
    done = command("weights", *sources, "--weights", trained, *out)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("range: counts=data vi=full, as ")
    full = twins / "full.pth"
    content = files.load(trained)
    content["metaloss"]["data"]["range"] = ["full", "full"]
    files.save(full, content)
    told = refused("weights", *sources, "--weights", f"a={trained}", "--weights", f"b={full}", *out)
    assert told == f"trained on sources of different ranges ({trained}: data full; {full}: full full): give --range"
    content["metaloss"]["data"]["range"] = [["data", "full"], ["full", "full"]]
    files.save(full, content)
    told = refused("weights", *sources, "--weights", full, *out)
    assert told == f"{full}: was trained on data sets of several ranges, and 2 sources are given: give --range"
    for wrong in (["dat", "full"], 3):
        content["metaloss"]["data"]["range"] = wrong
        files.save(full, content)
        assert refused("weights", *sources, "--weights", full, *out).startswith(f"{full}: its range of the data cannot")


@pytest.mark.parametrize(("given", "shown"), [("data", r"\['data', 'data'\]"), ("full", "full")])
def test_another_range_is_another_training(twins, trained, given, shown):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of counts at full range
        data = PairedDataset(twins, sources=("counts", "vi"), target=None, range=given)
    learner = metaloss.MetaLearner(
        fusion=ReFusionNet(), loss=metaloss.LearnableFusionLoss(), task=metaloss.build_task("reconstruction")
    )
    pairs = metaloss.data.Joined([data, data])
    with pytest.raises(metaloss.CheckpointError, match=rf"the data's range: \['data', 'full'\], now {shown}\)"):
        learner.fit(pairs, epochs=2, meta_steps=0, task_size=16, work_dir=twins / "work", resume=True)


def test_evaluate_reads_the_sources_by_it(command, twins):
    write_image(
        twins / "fused" / "a.png", (read_image(twins / "eight" / "a.png") + read_image(twins / "vi" / "a.png")) / 2
    )
    rows = {}
    for thermal, options in (("eight", []), ("counts", ["--range", "counts=data"])):
        done = command(
            "evaluate", twins / thermal, twins / "vi", "--fused", twins / "fused", "--format", "csv", *options
        )
        assert (done.status, done.err) == (0, "")
        rows[thermal] = done.out
    assert rows["counts"] == rows["eight"]


def test_four_channels(command, mean, tmp_path):
    noise = np.random.default_rng(0)
    pixels = np.dstack(
        [noise.integers(0, 256, (16, 20, 1), dtype=np.uint8)] * 3 + [noise.integers(0, 256, (16, 20), dtype=np.uint8)]
    )
    (tmp_path / "images").mkdir()
    Image.fromarray(pixels).save(tmp_path / "images" / "a.png")
    expected = (pixels[..., 0] / 255 + pixels[..., 3] / 255) / 2
    folder, file = f"{tmp_path / 'images'}", f"{tmp_path / 'images' / 'a.png'}"
    for sources in (folder, f"{folder}/*.png", file):
        done = command("fuse", f"{sources}:alpha", f"{sources}:rgb", "--weights", mean, "--out", tmp_path / "out")
        assert (done.status, done.err) == (0, "")
        fused = read_image(tmp_path / "out" / "a.png")[0].numpy()
        np.testing.assert_allclose(fused, expected, atol=0.5 / 255 + 1e-6)


def test_video_has_no_range(refused, command, mean, tmp_path):
    pytest.importorskip("av")
    from fractions import Fraction

    from metaloss.data.video import VideoWriter

    path = tmp_path / "a.mkv"
    with VideoWriter(path, size=(16, 18), rate=Fraction(25), colour=False) as writer:
        writer.write(torch.rand(1, 16, 18))
    end = ("--weights", mean, "--out", tmp_path / "out")
    told = refused("fuse", path, path, *end, "--range", "data")
    assert told == f"{path} is a video, read at its full range and in colour: leave --range out"
    assert ":rgb or :alpha out" in refused("fuse", f"{path}:rgb", path, *end)
    content = files.load(mean)
    content["metaloss"]["data"] = {"range": ["data", "data"]}
    files.save(mean, content)
    done = command("fuse", path, path, *end)
    assert (done.status, done.err) == (
        0, f"warning: videos are read at full range, and {mean} was trained with another\n"
    )  # fmt: skip
    assert command("fuse", path, path, *end, "--range", "full").err == ""
