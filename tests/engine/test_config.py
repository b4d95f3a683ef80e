"""Configs: found by name, read as MMEngine reads them, and refused in one line."""

import gc
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("mmengine")

from mmengine.config import Config

from metaloss.cli.options import spread
from metaloss.configs import shipped_configs
from metaloss.engine import build_dataset, build_model, load_config, parse_options
from metaloss.engine.registry import MODELS, count_sources
from metaloss.engine.settings import value_at
from metaloss.errors import ConfigError

ROOT = Path(__file__).parent.parent.parent
CWFID = "tdfusion/segformer_cwfid"
SYNTHETIC = "tdfusion/segformer_synthetic"


@pytest.mark.parametrize("name", shipped_configs())
def test_mmengine_reads_the_same(name):
    assert Config.fromfile(shipped_configs()[name]).to_dict() == load_config(name).to_dict()


def test_what_the_shipped_configs_are():
    """The experiments that their names and docs promise."""
    expected = {
        "segformer_cwfid": ("cwfid_seg", 3, (192, 192), (240, 320), 2, 50),
        "segformer_msrs": ("msrs_seg", 9, (256, 256), (240, 320), 0, 200),
        "segformer_fmb": ("fmb", 15, (256, 256), (300, 400), 0, 200),
        "yolov8_msrs": ("msrs_det", 3, (256, 256), (240, 320), 0, 200),
        "yolox_m3fd": ("m3fd", 6, (256, 256), (192, 256), 0, 200),
        "yolov8_llvip": ("llvip", 1, (256, 256), (256, 320), 0, 200),
    }
    for name, (data, classes, crop, task_size, warmup_epochs, meta_steps) in expected.items():
        config = load_config(f"tdfusion/{name}")
        loop = config.train_cfg
        assert Path(config.train_dataloader.dataset.root).name == Path(config.val_dataloader.dataset.root).name == data
        assert len(config.train_dataloader.dataset.classes) == len(config.model.task.classes) == classes
        assert (loop.fusion_crop, loop.task_size, loop.warmup_epochs) == (crop, task_size, warmup_epochs)
        assert (loop.meta_steps, loop.max_epochs, config.model.inner_lr) == (meta_steps, 50, 1e-4)


def test_the_real_data_folder_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("METALOSS_DATA", "/somewhere")
    assert load_config(CWFID).train_dataloader.dataset.root == "/somewhere/cwfid_seg"
    for empty in ("", None):
        monkeypatch.setenv("METALOSS_DATA", "") if empty == "" else monkeypatch.delenv("METALOSS_DATA")
        assert load_config(CWFID).data_root == os.path.join("data", "cwfid_seg")


REFUSION = ("refusion/ivif", "refusion/mif", "refusion/mfif", "refusion/mef")


@pytest.mark.parametrize("name", REFUSION)
def test_refusion_has_the_published_settings_and_reads_no_label(name, monkeypatch):
    monkeypatch.setenv("METALOSS_DATA", "/somewhere")
    config = load_config(name)
    assert (config.max_epochs, config.meta_steps, config.batch_size) == (50, 600, 2)
    assert (config.lr, config.lr_step) == (1e-4, 10)
    assert config.param_scheduler == {"type": "StepLR", "step_size": 10, "gamma": 0.1}
    assert (config.model.accumulate, config.model.outer_update) == (2, "max_normalised_sgd")
    assert config.model.loss.alpha_ramp is True
    model = build_model(config)
    assert model.loss.generator.outputs == ("intensity", "gradient")
    assert model.loss.gradient == "learned"
    for folders in (config.train_dataloader.dataset.dataset, config.val_dataloader.dataset):
        assert folders.target is None
        assert folders.root.startswith("/somewhere/")


def test_refusion_on_three_sources_and_listed_splits():
    config = load_config("refusion/mif", {"sources": (("a", "b", "c"),), "train_split": "train.txt", "alpha": 0.5})
    train = config.train_dataloader.dataset.dataset
    assert (train.sources, train.split) == ((("a", "b", "c"),), "train.txt")
    model = build_model(config)
    sources = [torch.rand(1, 1, 16, 16) for _ in range(3)]
    assert model(*sources).shape == (1, 1, 16, 16)
    assert model.loss.propose(sources)["gradient"].shape == (1, 3, 16, 16)
    assert len(model.task.network(sources[0])) == 3
    assert model.loss.alpha == 0.5
    assert model.fusion.metaloss_record == {"name": "refusion", "arguments": {"sources": 3}}


@pytest.mark.parametrize("sources", [3, ("a", "b", "c"), ["a", "b", "c"], (("a", "b", "c"), ("a", "b", "d"))])
def test_sources_are_counted(sources):
    assert count_sources(sources) == 3
    network = MODELS.build({"type": "metaloss.SourceReconstructor", "sources": sources})
    assert len(network(torch.rand(1, 1, 8, 8))) == 3


def test_several_kinds_of_pairs_are_joined(write, tmp_path):
    from metaloss.data import SyntheticScenes, write_scenes

    write_scenes(tmp_path / "data", SyntheticScenes(3, size=(32, 32)))
    source = """
        sources = (("ir", "vi"), ("vi", "ir"))
        train_dataloader = dict(
            dataset=dict(type="metaloss.PairedDataset", root=root, sources=sources, split="[:2]", target=None)
        )
        """
    config = load_config(write("mine.py", source.replace("root=root", f"root={str(tmp_path / 'data')!r}")))
    joined = build_dataset(config, "train_dataloader")
    assert (len(joined), joined.sources) == (4, ("ir-vi", "vi-ir"))


@pytest.mark.parametrize("places", ["source", "list"])
def test_a_config_that_builds_on_a_shipped_one(write, places):
    base = "metaloss::tdfusion/segformer_synthetic.py"
    path = write("mine.py", f"_base_ = {base if places == 'source' else [base]!r}\nmodel = dict(inner_steps=2)\n")
    config = load_config(path, {"max_epochs": 3})
    assert config.train_cfg.max_epochs == 3
    assert config.model.inner_steps == 2
    assert config.model.fusion.name == "refusion"
    assert "_base_" not in config
    assert config.filename == path
    assert Config.fromfile(path).to_dict() == load_config(path).to_dict()


def test_a_copy_of_a_shipped_config(write):
    source = shipped_configs()[SYNTHETIC].read_text()
    copy = write("copy.py", source)
    with pytest.raises(
        ConfigError, match=r"copy\.py: builds on '../_base_/synthetic\.py'.*'metaloss::_base_/synthetic\.py'"
    ):
        load_config(copy)
    copy = write("copy.py", source.replace("../_base_/synthetic.py", "metaloss::_base_/synthetic.py"))
    config = load_config(copy, {"max_epochs": 3})
    assert config.to_dict() == load_config(SYNTHETIC, {"max_epochs": 3}).to_dict()
    assert config.filename == copy


def test_a_configs_own_folder(write, tmp_path, monkeypatch):
    path = write("mine.py", "root = '{{ fileDirname }}/data'\nname = '{{fileBasenameNoExtension}}'\n")
    monkeypatch.chdir(tmp_path.parent)
    for given in (path, os.path.relpath(path)):
        config = load_config(given)
        assert (config.root, config.name, config.filename) == (f"{tmp_path}/data", "mine", given)


def test_other_forms_that_mmengine_reads(write):
    write("base.yaml", "train_cfg: {max_epochs: 4}\nmax_epochs: 4\nsettings: {max_epochs: train_cfg.max_epochs}\n")
    path = write("mine.py", "_base_ = 'base.yaml'\nwidth = {{'$SURELY_NOT_SET:5'}}\nloop = {{_base_.train_cfg}}\n")
    config = load_config(path, {"max_epochs": 3})
    assert (config.train_cfg.max_epochs, config.width, config.loop) == (3, 5, {"max_epochs": 4})


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # MMEngine leaves a file open
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("lr = (", "SyntaxError"),
        ("lr = 1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", r"ends the process with sys\.exit\(3\)"),
        ("_base_ = 'absent.py'", "builds on 'absent.py', and there is no file"),
        ("_base_ = 'metaloss::absent.py'", "builds on 'metaloss::absent.py', and there is no file"),
        ("_base_ = name", "NameError"),
        (
            "custom_imports = dict(imports=['absent_module'])",
            "ModuleNotFoundError: No module named 'absent_module'; a module lies",
        ),
        ("lr = 1\nsettings = dict(lr=3)", r"settings = \{'lr': 3\}: expected a dict of names with their places"),
        ("settings = 3", "settings = 3: expected a dict"),
    ],
)
def test_configs_that_cannot_be_read(write, source, reason):
    path = write("mine.py", source)
    with pytest.raises(ConfigError, match=rf"config {path}: {reason}") as error:
        load_config(path)
    assert "\n" not in str(error.value)
    del error
    gc.collect()


NETWORK = """
    import torch
    from torch import nn
    from metaloss.registry import MODELS

    @MODELS.register_module()
    class Blend(nn.Module):
        def __init__(self, kernel=3):
            super().__init__()
            self.conv = nn.Conv2d(2, 1, kernel, padding=kernel // 2)

        def forward(self, *sources):
            return self.conv(torch.cat(sources, 1)).sigmoid()
"""
CONFIG = """
    _base_ = "metaloss::tdfusion/segformer_synthetic.py"
    custom_imports = dict(imports=["metaloss.engine", "blend_network"], allow_failed_imports=False)
    model = dict(fusion=dict(_delete_=True, type="metaloss.Blend", kernel=5))
"""


def test_a_network_beside_the_config(write, tmp_path):
    write("blend_network.py", NETWORK)
    path = write("mine.py", CONFIG)
    before = list(sys.path)
    try:
        config = load_config(path, {"train_scenes": 2})
        assert sys.path == before
        model = build_model(config)
        assert type(model.fusion).__module__ == "blend_network"
        assert model.fusion.conv.kernel_size == (5, 5)
        assert model(torch.rand(1, 1, 8, 8), torch.rand(1, 1, 8, 8)).shape == (1, 1, 8, 8)
        assert len(build_dataset(config, "train_dataloader")) == 2
    finally:
        sys.modules.pop("blend_network", None)
        MODELS.module_dict.pop("Blend", None)
    with pytest.raises(ConfigError):
        load_config(write("wrong.py", "lr = rate"))
    gc.collect()
    assert sys.path == before


def readme():
    """The config and the module of the page's own network."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    [config], [module] = ([block for block in blocks if word in block] for word in ("_base_ =", "register_module"))
    return {"mine.py": config, "my_networks.py": module}


PLAIN = """
import metaloss.engine
from mmengine.config import Config

config = Config.fromfile("mine.py")
assert config.to_dict() == metaloss.engine.load_config("mine.py").to_dict()
assert config.train_cfg.max_epochs == 20
print(metaloss.engine.build_model(config).fusion)
"""


def test_the_readmes_own_network(write, tmp_path, monkeypatch):
    for name, source in readme().items():
        path = write(name, source)
    monkeypatch.chdir(tmp_path)
    try:
        config = load_config("mine.py")
        config.dump(tmp_path / "dumped.py")
        for options in ({}, {"max_epochs": 3, "data_root": "elsewhere", "lr": 0.5}):
            again = load_config("dumped.py", options)
            assert again.to_dict() == load_config("mine.py", options).to_dict()
        assert again.train_dataloader.dataset.root == "elsewhere"
        assert type(MODELS.build(config.model.fusion)).__module__ == "my_networks"
    finally:
        sys.modules.pop("my_networks", None)
        MODELS.module_dict.pop("MyFusion", None)
    assert path


@pytest.mark.slow
def test_mmengine_alone_reads_the_readmes_own_network(write, tmp_path):
    pytest.importorskip("mmseg")
    for name, source in readme().items():
        write(name, source)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    done = subprocess.run(
        [sys.executable, "-c", PLAIN], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("MyFusion(")


PAGE = (ROOT / "docs" / "configs.md").read_text(encoding="utf-8")


def commands():
    text = PAGE.replace("\\\n", "")
    return [line for line in text.splitlines() if line.startswith("metaloss train") and "/" in line]


@pytest.mark.parametrize("command", commands())
def test_commands_that_the_docs_show(command):
    _, _, name, *options = spread(shlex.split(command))
    given = parse_options([option for option in options if option != "--cfg-options"])
    config = load_config(name, given)
    assert given
    assert all(value_at(config, key) == value for key, value in given.items())


def test_parts_that_a_config_lacks(write):
    config = load_config(write("mine.py", "lr = 1"))
    with pytest.raises(ConfigError, match=r"mine\.py: no model"):
        build_model(config)
    with pytest.raises(ConfigError, match=r"mine\.py: no train_dataloader with a dataset"):
        build_dataset(config, "train_dataloader")
