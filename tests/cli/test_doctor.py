import sys
from contextlib import nullcontext

import pytest
import torch

from metaloss.cli.doctor import one_thread

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")

NETWORK = """
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from metaloss.registry import MODELS


@MODELS.register_module(force=True)
class Attentive(nn.Module):
    def __init__(self, math):
        super().__init__()
        self.patch, self.qkv = nn.Conv2d(2, 8, 4, stride=4), nn.Linear(8, 24)
        self.back = nn.ConvTranspose2d(8, 1, 4, stride=4)
        self.math = math

    def forward(self, *sources):
        x = self.patch(torch.cat(sources, 1))
        q, k, v = self.qkv(x.flatten(2).mT).unsqueeze(1).chunk(3, dim=-1)
        with sdpa_kernel(SDPBackend.MATH) if self.math else nullcontext():
            attended = F.scaled_dot_product_attention(q, k, v)
        return self.back(x + attended.squeeze(1).mT.unflatten(2, x.shape[-2:])).sigmoid()
"""
CONFIG = """
_base_ = "metaloss::tdfusion/segformer_synthetic.py"
custom_imports = dict(imports=["metaloss.engine", "attentive_network"])
model = dict(fusion=dict(_delete_=True, type="metaloss.Attentive", math={math}))
"""


@pytest.fixture
def attentive(tmp_path, monkeypatch):
    """Writes a config of a network with attention; gives its path."""
    (tmp_path / "attentive_network.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "attentive_network", raising=False)

    def write(*, math):
        path = tmp_path / f"attentive_{math}.py"
        path.write_text(CONFIG.format(math=math))
        return path

    return write


def test_versions_alone(command):
    done = command("doctor")
    assert (done.status, done.err) == (0, "")
    for word in ("python", "torch 2.", "mmengine", "metaloss", "operators"):
        assert word in done.out
    assert "hypergradient methods" not in done.out


@pytest.mark.slow
def test_a_shipped_config_without_its_data(command, monkeypatch, tmp_path):
    monkeypatch.setenv("METALOSS_DATA", str(tmp_path / "absent"))
    done = command("doctor", "tdfusion/segformer_cwfid")
    assert done.status == 0
    assert "ReFusionNet, 59,856 parameters" in done.out
    assert "on random images, its data being absent" in done.out
    lines = {line.split()[1]: line for line in done.out.splitlines() if line.startswith("│ ")}
    assert all("yes" in lines[method] for method in ("forward", "reverse", "finite_difference"))
    assert "will take 'forward'" in done.out


@pytest.mark.slow
def test_a_shipped_config_with_its_data(command, monkeypatch, real_data):
    monkeypatch.setenv("METALOSS_DATA", str(real_data("cwfid_seg").parent))
    done = command("doctor", "tdfusion/segformer_cwfid", "--cfg-options", "batch_size=1")
    assert done.status == 0
    assert "on its training data" in done.out


@pytest.mark.slow
def test_fused_attention_is_no_obstacle(command, attentive):
    done = command("doctor", attentive(math=False))
    assert done.status == 0
    assert "Attentive" in done.out
    assert "will take 'forward'" in done.out


@pytest.mark.parametrize("fails", [False, True])
def test_the_number_of_threads_is_what_it_was(fails):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(ZeroDivisionError) if fails else nullcontext(), one_thread():
            assert torch.get_num_threads() == 1
            if fails:
                raise ZeroDivisionError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_what_it_refuses(refused):
    assert "did you mean 'tdfusion/segformer_cwfid'" in refused("doctor", "tdfusion/segformer_cwfd")
    line = refused("doctor", "tdfusion/segformer_synthetic", "--cfg-options", "lrr=1")
    assert "did you mean 'lr'" in line
