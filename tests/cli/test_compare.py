"""Several networks side by side: images, tables, sheet, and that it goes on where it was stopped."""

import csv
import json
import math
import shutil

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
    for option in ("--seeds", "--epochs"):
        said = refused("compare", *pair, *methods, *out, option, "3")
        assert said == f"{option} 3 without --task: it is of the networks that judge"
    assert "--network oours=didfuse: expected METHOD=NETWORK (did you mean 'ours'?): ours, datfuse, did" in refused(
        "compare", *pair, *methods, *out, "--network", "oours=didfuse"
    )
    assert "a source of that name" in refused("compare", *pair, "--method", "vi=ivif", *out)
    (tmp_path / "b").mkdir()
    twin = shutil.copy(methods[3].partition("=")[2], tmp_path / "b" / "file.pth")
    both = ("--method", methods[3].partition("=")[2], "--method", twin)
    assert "the name 'file' is taken; give another as NAME=PATH, or the same" in refused("compare", *pair, *both, *out)
    assert "is there twice" in refused("compare", *pair, *methods, *methods[:2], *out)
    (seafusion,) = write(tmp_path / "c", "seafusion", build_fusion("seafusion").state_dict())
    two = (*methods[2:4], "--method", f"datfuse={seafusion}")
    assert "each holds all weights of a network, 'datfuse', 'seafusion': give one" in refused(
        "compare", *pair, *two, *out
    )
    assert not (tmp_path / "out").exists()


def test_no_source_is_written_over(refused, scenes, methods, tmp_path):
    place = tmp_path / "out" / "fused"
    for source, folder in (("ir", "did"), ("vi", "vi")):
        shutil.copytree(scenes / source, place / folder)
    before = {path: path.read_bytes() for path in place.rglob("*.png")}
    said = refused("compare", place / "did", place / "vi", *methods[4:], "--out", tmp_path / "out")
    assert "the sheet shows a source of that name" in said
    one = (f"{place / 'did'}/00.png", f"{scenes / 'vi'}/00.png")  # named after their files, not their folders
    assert "sources lie in it" in refused("compare", *one, "--method", "m=ivif", "--out", place / "did")
    said = refused("compare", *one, *methods[4:], "--out", tmp_path / "out")
    assert said.endswith("00.png in it is a source; give another folder")
    assert sorted(path.read_bytes() for path in place.rglob("*.png")) == sorted(before.values())


def test_colour_is_measured_as_evaluate_does(command, methods, tmp_path):
    for folder, channels in (("ir", 1), ("vi", 3)):
        for name in ("a", "b"):
            write_image(tmp_path / folder / f"{name}.png", torch.rand(channels, 48, 64))
    pair, out = (tmp_path / "ir", tmp_path / "vi"), tmp_path / "out"
    for convention in ("vifb", "tdfusion"):
        place = out / convention
        done = command("compare", *pair, *methods[2:4], "--out", place, "--convention", convention)
        assert done.status == 0, done.err
        fused = ("--fused", f"datfuse={place / 'fused' / 'datfuse'}", "--convention", convention, "--format", "json")
        measured = json.loads(command("evaluate", *pair, *fused).out)[-1]
        for name, value in rows(place)["datfuse"].items():
            if name in measured and name != "method":
                expected = math.nan if measured[name] is None else measured[name]
                assert float(value) == pytest.approx(expected, rel=1e-4, nan_ok=True), (convention, name)
    assert "colour band by band" in (out / "vifb" / "comparison.md").read_text()
    assert "cost of one image of 64x48 pixels on 1 CPU thread" in (out / "vifb" / "comparison.tex").read_text()


def test_other_sources_are_not_mixed_in(command, refused, scenes, methods, tmp_path):
    for source in ("ir", "vi"):
        (tmp_path / source).mkdir()
        with Image.open(scenes / source / "00.png") as image:
            image.save(tmp_path / source / "a.bmp")  # the size of the file is that of the image
    arguments = ("compare", tmp_path / "ir", tmp_path / "vi", *methods[2:4], "--out", tmp_path / "out")
    assert command(*arguments).status == 0
    with Image.open(scenes / "ir" / "01.png") as image:
        image.save(tmp_path / "ir" / "a.bmp")
    assert "was made with other settings (sources" in refused(*arguments)


def test_a_network_in_another_form(command, refused, scenes, tmp_path):
    (file,) = write(tmp_path / "ifcnn", "ifcnn", build_fusion("ifcnn").state_dict())
    one = ("compare", f"{scenes / 'ir'}/00.png", f"{scenes / 'vi'}/00.png", "--method", f"max={file}")
    other = ("--method", f"sum={file}", "--network", "sum=ifcnn:scheme=sum,normalised=false")
    done = command(*one, *other, "--out", tmp_path / "out")
    assert done.status == 0
    assert "sum: network: ifcnn:scheme=sum,normalised=False; --network sum=NETWORK takes it in another form" in done.out
    images = [read_image(scenes / source / "00.png").unsqueeze(0) for source in ("ir", "vi")]
    for name, settings in (("max", {}), ("sum", {"scheme": "sum", "normalised": False})):
        fused = build_fusion("ifcnn", weights=file, **settings)(*images).detach().clamp(0, 1)[0]
        torch.testing.assert_close(read_image(tmp_path / "out" / "fused" / name / "00.png"), fused, atol=0.003, rtol=0)
    said = refused(*one, "--method", f"sum={file}", "--network", "sum=ifcnn:scheme=mean", "--out", tmp_path / "out")
    assert "was made with other settings (network; network was 'ifcnn:scheme=sum,normalised=false')" in said
    fused = command("fuse", *one[1:3], "--weights", file, "--out", tmp_path / "fused", "--network", "ifcnn:scheme=sum")
    assert "network: ifcnn:scheme=sum,normalised=True; --network takes it in another form" in fused.out
    for wrong, said in (
        ("ifcnn:sum", "expected NAME, NAME:ARGUMENT=VALUE,... or FILE.py:FUNCTION"),
        ("ifcnn:normalised=no", "normalised='no': expected True or False"),
        ("ifcnn:scheme=some", "scheme='some': choose one of"),
        ("ifcnn:schema=sum", "unexpected keyword argument 'schema'; it is called as ifcnn(*, scheme"),
    ):
        assert said in refused("fuse", *one[1:3], "--weights", file, "--out", tmp_path / "x", "--network", wrong)


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
    done = command("compare", *arguments, "--range", "10,200")
    assert done.status == 0, done.err
    said = "warning: the images of the table are of the range 10,200 10,200, and the data is read with full full: "
    assert said + "--cfg-options range=... is what its data takes" in done.err
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

    class Strided(Sum):
        def forward(self, *sources):
            if any(side % 8 for side in sources[0].shape[-2:]):
                self.net(sum(sources))  # found out late
                raise ValueError("the sizes of tensors do not match")
            return self.net(sum(sources))

    assert multiply_adds(Strided(), sources) == multiply_adds(Strided(), torch.rand(2, 1, 1, 24, 32)) == 24 * 32 * 30
    large = torch.rand(2, 1, 1, 400, 300)  # in bands, whose rows overlap
    with FlopCounterMode(display=False) as counter:
        ReFusionNet()(*large)
    assert multiply_adds(ReFusionNet(), large) == counter.get_total_flops() // 2
