"""Networks that are built in a script, and weights that come with the package."""

import numpy as np
import pytest
import torch
from PIL import Image

import metaloss
from metaloss.data import read_image
from metaloss.inference import pretrained
from metaloss.inference.fuse import fuse_any_size
from metaloss.plugins import load_fusion

SCRIPT = """
import metaloss
from torch import nn
import beside

class Mine(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = beside.gain()

    def forward(self, a, b):
        return {"fused": self.gain * (a + b)}

def build():
    return metaloss.Adapted(Mine(), call=lambda network, a, b: network(a, b)["fused"])

def sized(width):
    return build()

def none():
    return 3

def broken():
    raise RuntimeError("no\\nsuch")

number = 3
"""


@pytest.fixture
def script(tmp_path):
    """A script with a wrapped network, and a checkpoint of one whose gain is 0.25."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "beside.py").write_text("import torch\n\ndef gain():\n    return torch.nn.Parameter(torch.tensor(1.0))\n")
    (folder / "net.py").write_text(SCRIPT)
    torch.save({"model": {"gain": torch.tensor(0.25)}}, folder / "mine.pth")
    return folder


def test_a_network_of_a_script(command, script, scenes, tmp_path):
    options = ("--weights", script / "mine.pth", "--network", f"{script / 'net.py'}:build", "--out", tmp_path / "out")
    done = command("fuse", scenes / "ir", scenes / "vi", *options)
    assert (done.status, done.err) == (0, "")
    sources = [np.asarray(Image.open(scenes / folder / "03.png"), float) for folder in ("ir", "vi")]
    written = np.asarray(Image.open(tmp_path / "out" / "03.png"), float)
    assert np.abs(written - sum(sources) / 4).max() <= 0.51


def test_what_a_script_lacks(refused, script, scenes, tmp_path):
    def said(network, weights=script / "mine.pth"):
        given = () if weights is None else ("--weights", weights)
        line = refused("fuse", scenes / "ir", scenes / "vi", *given, "--network", network, "--out", tmp_path / "out")
        assert not (tmp_path / "out").exists()
        return line

    file = script / "net.py"
    assert "name the function that builds the network, as FILE.py:FUNCTION" in said(file)
    assert "has no function 'biuld' (did you mean 'build'?)" in said(f"{file}:biuld")
    assert "has no function 'number'" in said(f"{file}:number")
    assert "sized wants width: give a function without arguments" in said(f"{file}:sized")
    assert "none() returned int: expected the network" in said(f"{file}:none")
    assert "broken() fails with RuntimeError: no such (--debug shows where)" in said(f"{file}:broken")
    assert f"there is no file {script / 'nett.py'} (did you mean 'net.py'?)" in said(f"{script / 'nett.py'}:build")
    assert "give the file with the weights of the network that" in said(f"{file}:build", None)
    (script / "bad.py").write_text("import absent_package")
    assert "bad.py fails with ModuleNotFoundError: No module named 'absent_package'" in said(f"{script / 'bad.py'}:x")
    torch.save({"other": torch.zeros(3)}, script / "other.pth")
    assert "not the weights of this Adapted(Mine): 1 missing" in said(f"{file}:build", script / "other.pth")


@pytest.fixture
def shipped(tmp_path, monkeypatch, weights):
    folder = tmp_path / "shipped"
    folder.mkdir()
    (folder / "ivif.pth").write_bytes(weights.read_bytes())
    (folder / "ivif.md").write_text("# Infrared and visible\n\nLearnt from nothing.\n")
    monkeypatch.setattr(pretrained, "FOLDER", folder)
    return folder


def test_without_weights_those_that_come_with_it(command, refused, shipped, scenes, tmp_path):
    sources = (scenes / "ir", scenes / "vi")
    done = command("fuse", *sources, "--out", tmp_path / "a")
    assert (done.status, done.err) == (0, "")
    first, last = done.out.splitlines()
    assert first == f"weights: ivif, which come with metaloss: {shipped / 'ivif.pth'}, and ivif.md about them"
    assert last == f"6 fused images in {tmp_path / 'a'}/"
    images = [read_image(folder / "02.png")[None] for folder in sources]
    expected = fuse_any_size(load_fusion(shipped / "ivif.pth"), images)[0].clamp(0, 1)
    assert (read_image(tmp_path / "a" / "02.png") - expected).abs().max() <= 0.5 / 255 + 1e-6
    done = command("fuse", *sources, "--weights", "ivif", "--out", tmp_path / "b")
    assert done.out.startswith("weights: ivif")
    said = refused("fuse", *sources, "--weights", "ivf", "--out", tmp_path / "c")
    assert said == "--weights ivf: no such file (did you mean 'ivif'?)"
    assert refused("fuse", *sources, "--network", "seafusion", "--out", tmp_path / "c").startswith(
        "--weights is missing"
    )
    assert "was trained on 2 sources, and 3 are given" in refused("fuse", *sources, sources[0], "--out", tmp_path / "c")


def test_no_weights_and_none_that_come_with_it(refused, monkeypatch, scenes, tmp_path):
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    said = refused("fuse", scenes / "ir", scenes / "vi", "--out", tmp_path / "out")
    assert said.startswith("--weights is missing: give a checkpoint, or a file that")


def test_whose_colour(command, refused, mean, tmp_path):
    noise = np.random.default_rng(0)
    for folder in ("ir", "vi"):
        (tmp_path / folder).mkdir()
        Image.fromarray(noise.integers(100, 156, (16, 18, 3), dtype=np.uint8)).save(tmp_path / folder / "a.png")
    sources = (tmp_path / "ir", tmp_path / "vi")
    fuser = metaloss.Fuser(load_fusion(mean), colour_from=1)
    expected = np.asarray(fuser(tmp_path / "ir" / "a.png", tmp_path / "vi" / "a.png"))
    for given in ("vi", "1"):
        out = tmp_path / f"out_{given}"
        done = command("fuse", *sources, "--weights", mean, "--out", out, "--colour-from", given)
        assert (done.status, done.err) == (0, "")
        assert np.array_equal(np.asarray(Image.open(out / "a.png")), expected)
    assert command("fuse", *sources, "--weights", mean, "--out", tmp_path / "all").status == 0
    assert not np.array_equal(np.asarray(Image.open(tmp_path / "all" / "a.png")), expected)
    out = ("--weights", mean, "--out", tmp_path / "no")
    said = refused("fuse", *sources, *out, "--colour-from", "vis")
    assert said == "--colour-from vis: no such source (did you mean 'vi'?); they are ir, vi, or 0 to 1"
    assert "no colour is kept" in refused("fuse", *sources, *out, "--colour-from", "vi", "--colour", "grey")
    said = refused("fuse", *sources, *out, "--device", "gpu")
    assert said.startswith("--device: device 'gpu' cannot be used (")
    assert command("fuse", *sources, *out, "--device", "cpu").status == 0
