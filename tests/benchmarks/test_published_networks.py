"""The benchmark of the published networks, on a repository that stands in for an authors' own."""

import re
import sys

import pytest

from benchmarks import published_networks

GENERATOR = """
import torch
from torch import nn


def layer(inputs, outputs, norm=True):
    parts = [nn.Conv2d(inputs, outputs, 3, padding=1)] + [nn.BatchNorm2d(outputs)] * norm
    return nn.Sequential(*parts, nn.ReLU())


class Generator(nn.Module):
    def __init__(self, dim, depth):
        super().__init__()
        self.encoder = layer(2, dim)
        self.dense = nn.ModuleList(layer(dim * (i + 1), dim) for i in range(depth))
        last = nn.Sequential(nn.Conv2d(dim, 1, 3, padding=1), nn.Tanh())
        self.fuse = nn.Sequential(layer(4 * dim, 4 * dim, False), layer(4 * dim, 2 * dim), layer(2 * dim, dim), last)

    def forward(self, ir, vi):
        x = self.encoder(torch.cat([ir, vi], 1))
        for dense in self.dense:
            x = torch.cat([x, dense(x)], 1)
        return self.fuse(x)
"""


@pytest.fixture
def repositories(tmp_path):
    folder = tmp_path / "TarDAL" / "module" / "fuse"
    folder.mkdir(parents=True)
    (folder / "generator.py").write_text(GENERATOR)
    return tmp_path


@pytest.mark.slow
def test_it_measures_what_is_there(repositories, tmp_path, capsys):
    before = set(sys.path)
    out = tmp_path / "out"
    given = ["--repositories", str(repositories), "--size", "20x24", "--repeats", "1", "--out", str(out)]
    published_networks.main(given)
    rows = re.findall(
        r"^\| (\w+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| (\S+) \|$", capsys.readouterr().out, re.MULTILINE
    )
    assert [row[0] for row in rows] == ["tardal"]
    assert float(rows[0][-1]) < 1e-5
    assert "| tardal |" in (out / "published_networks.md").read_text()
    assert set(sys.path) == before
    assert "module.fuse.generator" not in sys.modules


def test_another_network_is_refused(repositories):
    place = repositories / "TarDAL" / "module" / "fuse" / "generator.py"
    place.write_text(GENERATOR.replace("layer(2, dim)", "layer(2, dim, False)"))
    with pytest.raises(ValueError, match=r"tardal: \d+ missing, the first 'encoder.1"):
        published_networks.both("tardal", repositories)
