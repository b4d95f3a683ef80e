"""What a training says of itself before it begins: --dry-run, --seed, --device, and `metaloss config`."""

import re

import pytest
import torch
from torch import nn

pytest.importorskip("mmengine")

from mmengine.device import utils as devices

import metaloss
from metaloss.configs import shipped_configs
from metaloss.engine import load_config, parse_options
from metaloss.engine.registry import MODELS

pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ImportWarning:mmcv"),
]

CONFIG = """
_base_ = "metaloss::tdfusion/segformer_synthetic.py"
model = dict(task=dict(_delete_=True, type="metaloss.OneLayerMore"))
max_epochs, warmup_epochs = 3, 1
train_cfg = dict(max_epochs=max_epochs, warmup_epochs=warmup_epochs, meta_steps=2, fusion_crop=16, task_size=32)
train_dataloader = dict(dataset=dict(length=4, size=(32, 32)))
val_dataloader = dict(dataset=dict(length=2, size=(32, 32)))
"""


@MODELS.register_module(force=True)
class OneLayerMore(metaloss.ModuleTask):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 4, 3, padding=1), nn.functional.cross_entropy)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def _device_kept(monkeypatch):
    monkeypatch.setattr(devices, "DEVICE", devices.DEVICE)


@pytest.mark.slow
@pytest.mark.usefixtures("_device_kept")
def test_a_dry_run_takes_a_step_of_each_phase_and_leaves_nothing(command, config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = command("train", config, "--dry-run", "--device", "cpu", "--seed", 3)
    assert (done.status, done.err) == (0, "")
    built, meta, fusion, validation, whole, last = done.out.splitlines()
    assert re.match(r"built on cpu: fusion network ReFusionNet with 59,856, loss LearnableFusionLoss with ", built)
    assert re.match(r"meta step on 2 scenes of 32x32: [\d.e-]+ s, inner_loss [\d.]+, outer_loss [\d.]+", meta)
    assert re.match(r"fusion step on 2 scenes of 32x32: [\d.e-]+ s, loss [\d.]+, task_loss [\d.]+", fusion)
    assert re.match(r"validation of one scene: [\d.e-]+ s", validation)
    assert whole.startswith("a training of 3 epochs, the last with 2 meta steps and 2 fusion steps: about ")
    assert last.endswith("mine was not written to")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


def test_what_does_not_go_together(refused, config):
    train = ("train", config)
    assert "--dry-run and --resume: a dry run touches no files" in refused(*train, "--dry-run", "--resume")
    assert "--dry-run with --launcher pytorch" in refused(*train, "--dry-run", "--launcher", "pytorch")
    assert "--device cpu with --launcher mpi" in refused(*train, "--device", "cpu", "--launcher", "mpi")
    assert "leave one of them out" in refused(*train, "--seed", "1", "--cfg-options", "seed=2")
    assert "--device: device 'gpu' cannot be used" in refused(*train, "--device", "gpu")
    assert "--device cpu: acts with --signal alone" in refused("doctor", config, "--device", "cpu")
    assert "--seed 1: is of a config's networks" in refused("doctor", "--seed", "1")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_a_gpu_that_is_not_there(refused, config):
    assert "give 'cpu', or 'cuda' where there is a GPU" in refused("downstream", config, "--device", "cuda")


@pytest.mark.parametrize("name", [name for name in shipped_configs() if "msrs" in name or "synthetic" in name])
def test_a_printed_config_is_the_same_experiment(command, name, tmp_path):
    done = command("config", name, "--seed", 5, "--cfg-options", "max_epochs=7", "model.inner_steps=2")
    assert (done.status, done.err) == (0, "")
    path = tmp_path / "printed.py"
    path.write_text(done.out)
    printed = load_config(str(path))
    assert (
        printed.to_dict() == load_config(name, parse_options(["max_epochs=7", "model.inner_steps=2"]), seed=5).to_dict()
    )
    assert (printed.seed, printed.train_cfg.max_epochs, printed.model.inner_steps) == (5, 7, 2)
    again = load_config(str(path), {"max_epochs": 9})
    assert again.train_cfg.max_epochs == 9, "its settings still act"


def test_a_seed_for_a_config_without_that_setting(tmp_path):
    path = tmp_path / "bare.py"
    path.write_text("custom_imports = dict(imports=['metaloss.engine'])\ntrain_cfg = dict(max_epochs=1)\n")
    assert load_config(str(path), seed=4).randomness.seed == 4
