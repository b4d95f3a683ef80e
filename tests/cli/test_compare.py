"""Several networks side by side: images, tables, sheet, and that it goes on where it was stopped."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode
from weight_files import write

from metaloss.data import write_image
from metaloss.data.images import read_image
from metaloss.inference.cost import multiply_adds
from metaloss.metrics import evaluate
from metaloss.networks import ReFusionNet
from metaloss.plugins import build_fusion


@pytest.fixture
def methods(tmp_path, weights):
    (datfuse,) = write(tmp_path / "datfuse", "datfuse", build_fusion("datfuse").state_dict())
    encoder, decoder = write(tmp_path / "didfuse", "didfuse", build_fusion("didfuse").state_dict())
    given = {"ours": [weights], "datfuse": [datfuse], "did": [encoder, decoder]}
    return [part for name, files in given.items() for file in files for part in ("--method", f"{name}={file}")]


def read(path):
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image, dtype=np.float32))[None, None]


def rows(folder):
    return {row["method"]: row for row in csv.DictReader((folder / "comparison.csv").read_text().splitlines())}


@pytest.mark.slow
def test_what_it_writes_and_that_it_goes_on(command, refused, scenes, methods, tmp_path, weights):
    out = tmp_path / "out"
    arguments = ["compare", scenes / "ir", scenes / "vi", *methods, "--out", out]
    done = command(*arguments)
    assert (done.status, done.err) == (0, "")
    assert done.out.endswith(f"comparison.md, .csv, .tex and .png, and the images of 6 scenes, in {out}/\n")
    assert (out / "comparison.md").read_text() in done.out
    table = rows(out)
    assert list(table) == ["ours", "datfuse", "did"]
    assert [int(row["parameters"]) for row in table.values()] == [59_856, 10_760, 260_935]
    for name, row in table.items():
        found = [
            evaluate(
                read(out / "fused" / name / f"{scene:02d}.png"),
                [read(scenes / source / f"{scene:02d}.png") for source in ("ir", "vi")],
            )
            for scene in range(6)
        ]
        for metric in ("EN", "SSIM", "Qabf"):
            assert float(row[metric]) == pytest.approx(np.mean([float(each[metric]) for each in found]), rel=1e-5)
        assert float(row["images_per_second"]) > 0
        assert f"\n| {name} |" in (out / "comparison.md").read_text()
        assert f"\n{name} & " in (out / "comparison.tex").read_text()
    with Image.open(out / "comparison.png") as sheet:
        assert sheet.width == 5 * 246 + 6  # two sources and three methods

    (out / "fused" / "datfuse" / "03.png").unlink()
    kept = json.loads((out / "results" / "did.json").read_text())
    times = {path: path.stat().st_mtime_ns for path in (out / "fused").rglob("*.png")}
    again = command(*arguments)
    assert again.status == 0
    assert {path for path in (out / "fused").rglob("*.png") if times.get(path) != path.stat().st_mtime_ns} == {
        out / "fused" / "datfuse" / "03.png"
    }
    assert json.loads((out / "results" / "did.json").read_text()) == kept
    assert rows(out) == table

    said = refused(*arguments, "--convention", "vifb")
    assert "was made with other settings (convention; convention was 'tdfusion')" in said


def test_what_is_refused(refused, scenes, methods, tmp_path):
    pair, out = (scenes / "ir", scenes / "vi"), ("--out", tmp_path / "out")
    assert refused("compare", scenes / "ir", *out).startswith("1 source given")
    assert refused("compare", *pair, *out).startswith("--method is missing")
    assert refused("compare", *pair, "--method", "x=absent.pth", *out) == "--method x=absent.pth: no such file"
    assert "no such file (did you mean 'ivif'?)" in refused("compare", *pair, "--method", "ours=ivff", *out)
    assert refused("compare", *pair, *methods).startswith("--out is missing")
    assert "did you mean 'vifb'" in refused("compare", *pair, *methods, *out, "--convention", "vifbb")
    assert "was trained on 2 sources, and 3 are given" in refused("compare", *pair, pair[0], *methods, *out)
    assert refused("compare", *pair, *methods, *out, "--task", "nothing").startswith("config 'nothing' is neither")
    assert "--device: device 'gpu' cannot be used" in refused("compare", *pair, *methods, *out, "--device", "gpu")
    said = refused("compare", *pair, *methods, *out, "--cfg-options", "max_epochs=1")
    assert said == "--cfg-options without --task: they are settings of its config"
    assert not (tmp_path / "out").exists()


@pytest.fixture
def of_two_sizes(tmp_path):
    """Two scenes whose visible images are larger, and of another aspect."""
    for folder, size in (("ir", (48, 64)), ("vi", (120, 150))):
        for name in ("a", "b"):
            write_image(tmp_path / folder / f"{name}.png", torch.rand(1, *size))
    return tmp_path / "ir", tmp_path / "vi"


def test_sources_of_several_sizes(command, refused, of_two_sizes, methods, tmp_path):
    out = tmp_path / "out"
    arguments = ("compare", *of_two_sizes, *methods[2:4], "--method", "ours=ivif")
    said = refused(*arguments, "--out", out)
    assert "150x120 pixels (width x height)" in said
    assert said.endswith("where they are registered, --size-of ir gives all of them the size of one source")
    assert "--size-of vis: no such source (did you mean 'vi'?); they are ir, vi" in refused(
        *arguments, "--out", out, "--size-of", "vis"
    )
    assert not out.exists()
    for given, size in (("ir", (48, 64)), ("1", (120, 150))):
        place = ("--size-of", given, "--out", out / given)
        assert command(*arguments, *place).status == 0
        fused = read(out / given / "fused" / "datfuse" / "a.png")
        assert fused.shape[-2:] == read(out / given / "fused" / "ours" / "a.png").shape[-2:] == size
        images = [read_image(folder / "a.png").unsqueeze(0) for folder in of_two_sizes]
        images = [
            F.interpolate(image, size, mode="bilinear", antialias=True) if image.shape[-2:] != size else image
            for image in images
        ]
        found = evaluate(fused, [(255 * image).round() for image in images], metrics=["EN", "MI"])
        kept = json.loads((out / given / "results" / "datfuse.json").read_text())["metrics"]
        assert kept["a/MI"] == pytest.approx(float(found["MI"]), rel=1e-4)
        weights = ("--weights", methods[3].partition("=")[2])
        assert command("fuse", *of_two_sizes, *weights, *place[:2], "--out", tmp_path / "fused" / given).status == 0
        assert read(tmp_path / "fused" / given / "a.png").shape[-2:] == size
    one = [folder / "a*.png" for folder in of_two_sizes]
    done = command("compare", *one, "--method", "ours=ivif", "--size-of", "ir", "--out", tmp_path / "one")
    assert "and the images of 1 scene, in" in done.out


@pytest.mark.slow
def test_a_task_judges(command, scenes, methods, tmp_path):
    out = tmp_path / "out"
    arguments = [scenes / "ir", scenes / "vi", *methods, "--out", out, "--task", "tdfusion/segformer_cwfid"]
    arguments += ["--cfg-options", f"data_root={scenes}", "task_size=(32,32)", "batch_size=2", "max_epochs=1"]
    done = command("compare", *arguments)
    assert done.status == 0, done.err
    table = rows(out)
    assert {name: 0 <= float(row["task/mIoU"]) <= 100 for name, row in table.items()} == dict.fromkeys(table, True)


@pytest.mark.slow
def test_multiply_adds_are_those_of_the_whole_image():
    network = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 1, 1))

    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = network

        def forward(self, *sources):
            return self.net(sum(sources))

    sources = torch.rand(2, 1, 1, 20, 30)
    assert multiply_adds(Sum(), sources) == 20 * 30 * (27 + 3)

    class Looking(Sum):
        def forward(self, *sources):
            return self.net(sum(sources) if sources[0].max() > 0 else sources[0])  # not without values

    assert multiply_adds(Looking(), sources) == 20 * 30 * (27 + 3)
    large = torch.rand(2, 1, 1, 400, 300)  # in bands, whose rows overlap
    with FlopCounterMode(display=False) as counter:
        ReFusionNet()(*large)
    assert multiply_adds(ReFusionNet(), large) == counter.get_total_flops() // 2
