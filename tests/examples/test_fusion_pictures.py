import subprocess
import sys
from pathlib import Path

import pytest
import torch

from metaloss.data import read_image
from metaloss.networks import ReFusionNet
from metaloss.runtime import files

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_writes_four_strips(tmp_path):
    torch.manual_seed(0)
    spec = {"fusion": {"name": "refusion", "arguments": {"sources": 2}}}
    files.save(tmp_path / "w.pth", {"fusion": ReFusionNet().state_dict(), "metaloss": spec})
    command = [
        sys.executable,
        "examples/fusion_pictures.py",
        "--weights",
        tmp_path / "w.pth",
        "--out",
        tmp_path / "out",
    ]
    subprocess.run(list(map(str, command)), cwd=ROOT, check=True)
    strips = sorted((tmp_path / "out").iterdir())
    assert [strip.stem for strip in strips] == ["exposure", "focus", "infrared_visible", "structure_function"]
    assert {read_image(strip).shape for strip in strips} == {(3, 150, 608)}
