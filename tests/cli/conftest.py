from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import metaloss
from metaloss.cli.main import main
from metaloss.networks import ReFusionNet
from metaloss.plugins import Record, build_fusion, plugin_manager
from metaloss.runtime import files


@dataclass(frozen=True)
class Finished:
    """What a command left: its exit status and what it wrote to the terminal."""

    status: int
    out: str
    err: str


@pytest.fixture
def command(capsys):
    """Runs a command line in this process."""

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        written = capsys.readouterr()
        return Finished(stopped.value.code, written.out, written.err)

    return run


@pytest.fixture
def refused(command):
    """Runs a command line that has to fail in one line; gives that line."""

    def run(*arguments):
        done = command(*arguments)
        assert done.status == 2
        assert done.out == ""
        [line] = done.err.splitlines()
        assert line.startswith("error: ")
        return line.removeprefix("error: ")

    return run


@pytest.fixture
def scenes(tmp_path):
    """A folder with six small labelled pairs, split in two."""
    root = tmp_path / "scenes"
    noise = np.random.default_rng(0)
    names = [f"{number:02d}" for number in range(6)]
    for folder, top in (("ir", 256), ("vi", 256), ("label", 3)):
        (root / folder).mkdir(parents=True)
        for name in names:
            pixels = noise.integers(0, top, (32, 40), dtype=np.uint8)
            Image.fromarray(pixels).save(root / folder / f"{name}.png")
    (root / "train.txt").write_text("\n".join(names[:4]))
    (root / "test.txt").write_text("\n".join(names[4:]))
    (root / "classes.txt").write_text("soil\ncrop\nweed\n")
    return root


@pytest.fixture
def weights(tmp_path):
    """A checkpoint of an untrained reference network."""
    path = tmp_path / "weights.pth"
    spec = {"fusion": {"name": "refusion", "arguments": {"sources": 2}}}
    files.save(path, {"fusion": ReFusionNet().state_dict(), "metaloss": spec})
    return path


class Mean(nn.Module):
    """The sources' mean, times a weight."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, *sources):
        return self.gain * sum(sources) / len(sources)


class MeanPlugin:
    @metaloss.hookimpl
    def metaloss_fusion_networks(self):
        return [Record("mean", Mean)]


@pytest.fixture
def mean(tmp_path):
    """A checkpoint of a network that gives equal sources back."""
    plugin = MeanPlugin()
    plugin_manager().register(plugin)
    path = tmp_path / "mean.pth"
    network = build_fusion("mean")
    files.save(path, {"fusion": network.state_dict(), "metaloss": {"fusion": network.metaloss_record}})
    yield path
    plugin_manager().unregister(plugin)


@pytest.fixture
def fields(real_data, tmp_path):
    """A folder with six of CWFID's real pairs, four to train on and two to test."""
    root, few = real_data("cwfid_seg"), tmp_path / "fields"
    few.mkdir()
    for folder in ("ir", "vi", "label"):
        (few / folder).symlink_to(root / folder)
    for part, count in (("train", 4), ("test", 2)):
        (few / f"{part}.txt").write_text("\n".join((root / f"{part}.txt").read_text().split()[:count]))
    return few
