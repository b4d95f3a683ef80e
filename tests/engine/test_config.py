"""Configs: found by name, and settings from the command line that hold everywhere."""

import gc
import os
import sys
import textwrap

import pytest
import torch

pytest.importorskip("mmengine")

from metaloss.configs import shipped_configs
from metaloss.engine import build_dataset, build_model, load_config, parse_options
from metaloss.errors import ConfigError

CWFID = "tdfusion/segformer_cwfid"
SYNTHETIC = "tdfusion/segformer_synthetic"


@pytest.fixture
def write(tmp_path):
    def file(name, source):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        return str(path)

    return file


def test_values_are_read_as_python_where_they_are():
    options = ["a=3", "b=1e-3", "c=(2,3)", "d=['x','y']", "e=some/path", "f=true", "g=None", "h=a=b", "i="]
    expected = {"a": 3, "b": 1e-3, "c": (2, 3), "d": ["x", "y"], "e": "some/path", "f": True, "g": None, "h": "a=b"}
    assert parse_options(options) == expected | {"i": ""}
    with pytest.raises(ConfigError, match="'max_epochs': expected key=value"):
        parse_options(["max_epochs"])


@pytest.mark.parametrize("name", shipped_configs())
def test_shipped_settings_hold_everywhere(name):
    given = {
        "max_epochs": 3, "warmup_epochs": 1, "meta_steps": 4, "batch_size": 5, "crop_size": (24, 16),
        "task_size": (64, 48), "lr": 0.5, "seed": 9,
    }  # fmt: skip
    synthetic = name.endswith("_synthetic")
    if not synthetic:
        given["data_root"] = "somewhere/else"
    config = load_config(name, given)
    assert {key: config[key] for key in given} == given
    assert config.train_cfg.max_epochs == 3
    assert config.train_cfg.warmup_epochs == 1
    assert config.train_cfg.meta_steps == 4
    assert config.train_cfg.fusion_crop == (24, 16)
    assert config.train_cfg.task_size == config.val_cfg.task_size == (64, 48)
    assert config.train_dataloader.batch_size == config.val_dataloader.batch_size == 5
    assert config.optim_wrapper.fusion.optimizer.lr == config.optim_wrapper.task.optimizer.lr == 0.5
    assert config.randomness.seed == 9
    if synthetic:
        assert config.train_dataloader.dataset.seed == 9
        assert config.val_dataloader.dataset.seed == 10
        assert config.train_cfg.get("val_interval", 3) == 3
        return
    folders = [each for key in ("train_dataloader", "val_dataloader") for each in paired(config[key].dataset)]
    assert {each.root for each in folders} == {"somewhere/else"}
    assert config.optim_wrapper.loss.optimizer.lr == 0.5
    assert config.model.inner_lr in (0.5, "optimizer")


def paired(dataset):
    """The configs of the folders in a data set's config."""
    if dataset.type == "metaloss.PairedDataset":
        return [dataset]
    return [each for inner in dataset.get("datasets", [dataset.get("dataset")]) for each in paired(inner)]


def test_the_real_data_folder_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("METALOSS_DATA", "/somewhere")
    assert load_config(CWFID).train_dataloader.dataset.root == "/somewhere/cwfid_seg"
    monkeypatch.delenv("METALOSS_DATA")
    assert load_config(CWFID).data_root == os.path.join("data", "cwfid_seg")


def test_values_that_follow_from_settings(write):
    path = write(
        "mine.py",
        """
        steps: int = 4; twice = 2 * steps  # é: bytes are not characters
        names = (
            "a",
            "b",
        )
        loop = dict(steps=steps, names=names, count=len(names), several=[steps] * 2)
        """,
    )
    config = load_config(path, {"steps": 5, "names": ("x", "y", "z")})
    assert config.twice == 10
    assert config.loop == {"steps": 5, "names": ("x", "y", "z"), "count": 3, "several": [5, 5]}
    assert load_config(path).loop.count == 2


def test_settings_reach_base_files(write):
    write("_base_/one.py", "steps = 4\nloop = dict(steps=steps)\n")
    write("_base_/two.py", "rate = 0.1\noptimizer = dict(lr=rate)\n")
    path = write("nested/mine.py", "_base_ = ['../_base_/one.py', '../_base_/two.py']\nloop = dict(more=1)\n")
    config = load_config(path, {"steps": 5, "rate": 1})
    assert config.loop == {"steps": 5, "more": 1}
    assert config.optimizer.lr == 1
    assert "_base_" not in config


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
    folders = [each for key in ("train_dataloader", "val_dataloader") for each in paired(config[key].dataset)]
    assert all(each.target is None and each.root.startswith("/somewhere/") for each in folders)


def test_refusion_on_three_sources_and_listed_splits():
    config = load_config("refusion/mif", {"sources": (("a", "b", "c"),), "train_split": "train.txt", "alpha": 0.5})
    [train] = paired(config.train_dataloader.dataset)
    assert (train.sources, train.split) == (("a", "b", "c"), "train.txt")
    model = build_model(config)
    sources = [torch.rand(1, 1, 16, 16) for _ in range(3)]
    assert model(*sources).shape == (1, 1, 16, 16)
    assert model.loss.propose(sources)["gradient"].shape == (1, 3, 16, 16)
    assert len(model.task.network(sources[0])) == 3
    assert model.loss.alpha == 0.5


@pytest.mark.parametrize(
    "key",
    ["model.fusion_sees_task_loss", "model.separate_fusion_learning", "model.loss.weights", "model.loss.intensity"],
)
def test_settings_that_a_config_leaves_at_their_defaults(key):
    config = load_config(SYNTHETIC, {key: "given"})
    value = config
    for name in key.split("."):
        value = value[name]
    assert value == "given"
    with pytest.raises(ConfigError, match=f"did you mean '{key.split('.')[-1]}'"):
        load_config(SYNTHETIC, {key[:-1]: "given"})


def test_dotted_keys_change_one_place():
    config = load_config(
        SYNTHETIC, {"optim_wrapper.task.optimizer.lr": 0.25, "visualizer.vis_backends.0.type": "X", "lr": 0.5}
    )
    assert config.optim_wrapper.task.optimizer.lr == 0.25
    assert config.optim_wrapper.fusion.optimizer.lr == 0.5
    assert config.visualizer.vis_backends[0].type == "X"
    assert config.lr == 0.5


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("max_epoch", r"has no 'max_epoch' \(did you mean 'max_epochs'\?\)"),
        ("optim_wrapper.tsk.optimizer.lr", r"has no 'tsk' in optim_wrapper \(did you mean 'task'\?\)"),
        ("default_hooks.checkpoint.intervall", r"'intervall' in default_hooks\.checkpoint .*'interval'"),
        ("custom_hooks.7.count", "has no '7' in custom_hooks"),
        ("lr.x", "has no 'x' in lr"),
    ],
)
def test_unknown_keys(key, reason):
    with pytest.raises(ConfigError, match=reason):
        load_config(SYNTHETIC, {key: 1})


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("max_epochs=many", "expected a whole number"),
        ("max_epochs=2.5", "expected a whole number"),
        ("max_epochs=True", "expected a whole number"),
        ("lr=fast", "expected a number"),
        ("lr=(1,2)", "expected a number"),
        ("task_size=big", "expected values in brackets"),
        ("classes=soil", "expected values in brackets"),
    ],
)
def test_values_of_a_wrong_type(option, expected):
    with pytest.raises(ConfigError, match=rf"--cfg-options {option.split('=')[0]}=.*: {expected}, as in segformer_"):
        load_config(SYNTHETIC, parse_options([option]))


@pytest.mark.parametrize("option", ["lr=1", "crop_size=48", "crop_size=None", "crop_size=[48,48]"])
def test_values_that_fit(option):
    options = parse_options([option])
    config = load_config(SYNTHETIC, options)
    assert {key: config[key] for key in options} == options


def test_a_copy_of_a_shipped_config(write):
    source = shipped_configs()[SYNTHETIC].read_text()
    copy = write("copy.py", source)
    with pytest.raises(
        ConfigError, match=r"copy\.py: builds on '../_base_/runtime\.py'.*'metaloss::_base_/runtime\.py'"
    ):
        load_config(copy)
    copy = write("copy.py", source.replace("../_base_/runtime.py", "metaloss::_base_/runtime.py"))
    config = load_config(copy, {"max_epochs": 3})
    assert config.to_dict() == load_config(SYNTHETIC, {"max_epochs": 3}).to_dict()
    assert config.filename == copy


def test_a_config_that_builds_on_a_shipped_one(write):
    path = write("mine.py", "_base_ = 'metaloss::tdfusion/segformer_synthetic.py'\nmodel = dict(inner_steps=2)\n")
    config = load_config(path, {"max_epochs": 3})
    assert config.train_cfg.max_epochs == 3
    assert config.model.inner_steps == 2
    assert config.model.fusion.name == "refusion"


def test_a_configs_own_settings_hold_in_the_configs_it_builds_on(write):
    base = "_base_ = 'metaloss::tdfusion/segformer_synthetic.py'\n"
    config = load_config(write("mine.py", base + "max_epochs = 3\nlr = 0.5\n"), {"lr": 0.25})
    assert (config.max_epochs, config.train_cfg.max_epochs, config.train_cfg.val_interval) == (3, 3, 3)
    assert (config.lr, config.optim_wrapper.fusion.optimizer.lr) == (0.25, 0.25)


def test_what_a_run_leaves_is_a_config_again(tmp_path):
    config = load_config(SYNTHETIC, {"max_epochs": 3})
    config.dump(tmp_path / "dumped.py")
    again = load_config(str(tmp_path / "dumped.py"))
    assert again.to_dict() == config.to_dict()


def test_a_configs_own_folder(write, tmp_path):
    path = write("mine.py", "root = '{{ fileDirname }}/data'\nname = '{{fileBasenameNoExtension}}'\n")
    config = load_config(path)
    assert (config.root, config.name) == (f"{tmp_path}/data", "mine")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # MMEngine leaves a file open
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("lr = (", "SyntaxError"),
        ("lr = 1 / 0", "ZeroDivisionError"),
        ("_base_ = 'absent.py'", "builds on 'absent.py', and there is no file"),
        ("_base_ = 'metaloss::absent.py'", "builds on 'metaloss::absent.py', and there is no file"),
        ("_base_ = name", "ValueError"),
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


def test_a_network_of_the_user_enters_by_custom_imports(write, tmp_path, monkeypatch):
    write("blend_network.py", NETWORK)
    path = write("mine.py", CONFIG)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        config = load_config(path, {"train_scenes": 2})
        model = build_model(config)
        assert type(model.fusion).__module__ == "blend_network"
        assert model.fusion.conv.kernel_size == (5, 5)
        assert model(torch.rand(1, 1, 8, 8), torch.rand(1, 1, 8, 8)).shape == (1, 1, 8, 8)
        assert len(build_dataset(config, "train_dataloader")) == 2
    finally:
        from metaloss.engine.registry import MODELS

        sys.modules.pop("blend_network", None)
        MODELS.module_dict.pop("Blend", None)


def test_parts_that_a_config_lacks(write):
    config = load_config(write("mine.py", "lr = 1"))
    with pytest.raises(ConfigError, match=r"mine\.py: no model"):
        build_model(config)
    with pytest.raises(ConfigError, match=r"mine\.py: no train_dataloader with a dataset"):
        build_dataset(config, "train_dataloader")
