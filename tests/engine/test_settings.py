"""Settings: what stands at the top of a config, and the places where it acts."""

import copy
import re

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("mmengine")

from mmengine.config import Config

from metaloss.configs import shipped_configs
from metaloss.data import paired_datasets
from metaloss.data.class_choice import ignored_ids
from metaloss.engine import build_dataset, load_config, parse_options
from metaloss.engine.overrides import override
from metaloss.engine.settings import places, value_at
from metaloss.errors import ConfigError

CWFID = "tdfusion/segformer_cwfid"
SYNTHETIC = "tdfusion/segformer_synthetic"
BASE = "_base_ = 'metaloss::tdfusion/segformer_synthetic.py'\n"
NEW = {
    "data_root": "somewhere/else", "sources": ("nir", "red"), "target": "masks", "train_split": "a.txt",
    "val_split": "[-3:]", "classes": ("one", "two"), "ignore": 7, "max_epochs": 3, "warmup_epochs": 5, "meta_steps": 4,
    "batch_size": 5, "crop_size": (24, 16), "task_size": (64, 48), "lr": 0.5, "inner_lr": 0.25, "loss_lr": 0.125,
    "seed": 9, "train_scenes": 3, "val_scenes": 2, "image_size": (40, 48), "alpha": 0.75, "tiles": (2, 2),
    "lr_step": 4, "weights": {"seg": 1.0, "weather": 0.5}, "targets": {"seg": "segmentation"}, "conditions": ("a", "b"),
    "range": ("data", "full"), "loggers": ["tensorboard"], "network": "ydtr", "fusion_lr": 0.375,
}  # fmt: skip
LOOP = ("max_epochs", "warmup_epochs", "meta_steps", "batch_size", "crop_size", "task_size", "lr", "inner_lr", "seed")
SCENES = ("train_scenes", "val_scenes", "image_size")
FILES = ("data_root", "sources", "train_split", "val_split", "range")
LABELS = ("target", "classes", "ignore")


def holding(config):
    """The settings that have places, with their values."""
    return {name: [value_at(config, place) for place in found] for name, found in places(config).items() if found}


@pytest.mark.parametrize("name", shipped_configs())
def test_every_shipped_config_has_the_settings_of_its_kind(name):
    config = load_config(name)
    found = holding(config)
    drawn = name.endswith("_synthetic") or name == "recommended/pretrained_ivif"
    kind = SCENES if drawn else FILES if name.startswith("refusion") else (*FILES, *LABELS)
    assert {*LOOP, "loggers", *kind} <= found.keys()
    assert ("classes" in found) == (not name.startswith("refusion"))
    assert not {*FILES, "target", "ignore"} & found.keys() or not drawn


@pytest.mark.parametrize("name", shipped_configs())
def test_every_setting_agrees_with_its_places(name):
    config = Config.fromfile(shipped_configs()[name])
    found = holding(config)
    assert found.keys() <= set(config)
    assert found == {name: [config[name]] * len(values) for name, values in found.items()}


@pytest.mark.parametrize("name", shipped_configs())
def test_every_setting_holds_wherever_it_acts_and_in_what_a_run_leaves(name, tmp_path):
    dumped = tmp_path / "dumped.py"
    load_config(name).dump(dumped)
    plain = load_config(name)
    given = {key: NEW[key] for key in holding(plain)}
    for key, value in given.items():
        config = copy.deepcopy(plain)
        override(config, {key: value})
        assert config[key] == value
        assert all(held == value for held in holding(config)[key])
        assert sum(config[each] != plain[each] for each in given) == 1
    config = load_config(name, given)
    assert {key: config[key] for key in given} == given
    assert load_config(str(dumped), given).to_dict() == config.to_dict()
    config.dump(dumped)
    assert load_config(str(dumped)).to_dict() == config.to_dict()


def test_where_the_shipped_settings_act():
    config = load_config("tdfusion/segformer_msrs", {key: NEW[key] for key in (*LOOP, *FILES, *LABELS)})
    loop, train, val = config.train_cfg, config.train_dataloader, config.val_dataloader
    assert (loop.max_epochs, loop.warmup_epochs, loop.meta_steps, loop.fusion_crop) == (3, 5, 4, (24, 16))
    assert loop.task_size == config.val_cfg.task_size == (64, 48)
    assert (train.batch_size, val.batch_size, config.randomness.seed) == (5, 5, 9)
    assert (train.dataset.split, val.dataset.split) == ("a.txt", "[-3:]")
    assert config.model.task.classes == train.dataset.classes == val.dataset.classes == ("one", "two")
    for dataset in (train.dataset, val.dataset):
        assert (dataset.root, dataset.sources, dataset.target, dataset.ignore, dataset.range) == (
            "somewhere/else", ("nir", "red"), "masks", 7, ("data", "full")
        )  # fmt: skip
    rates = [config.optim_wrapper[part].optimizer.lr for part in ("fusion", "task", "loss")]
    assert (rates, config.model.inner_lr) == ([0.5] * 3, 0.25)


@pytest.mark.parametrize(("option", "ids"), [("ignore=7", 7), ("ignore=0,255", [0, 255]), ("ignore=(0,255)", (0, 255))])
def test_ids_to_ignore_by_command(option, ids):
    config = load_config(CWFID, parse_options([option]))
    assert config.train_dataloader.dataset.ignore == config.val_dataloader.dataset.ignore == ids
    assert ignored_ids(config.ignore) == (tuple(ids) if isinstance(ids, (list, tuple)) else (ids,))


def test_the_rate_of_the_inner_step_is_a_setting_of_its_own():
    assert load_config(CWFID, {"lr": 0.5}).model.inner_lr == 1e-4


def test_a_seed_draws_other_scenes_to_validate_on():
    config = load_config(SYNTHETIC, {"seed": 9, "train_scenes": 2, "val_scenes": 2})
    train, val = (build_dataset(config, f"{part}_dataloader") for part in ("train", "val"))
    same = load_config(SYNTHETIC, {"seed": 10, "train_scenes": 2})
    assert (val[0]["sources"][0] == build_dataset(same, "train_dataloader")[0]["sources"][0]).all()
    assert (val[0]["sources"][0] != train[0]["sources"][0]).any()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("max_epochs = 5", "max_epochs = 5 changes nothing by itself, train_cfg.max_epochs is 10: write `train_cfg = "
         "dict(max_epochs=5)`, too"),
        ("crop_size = (16, 16)", "write `train_cfg = dict(fusion_crop=(16, 16))`, too"),
        ("lr = 0.5\noptim_wrapper = dict(fusion=dict(optimizer=dict(lr=lr)))",
         "optim_wrapper.task.optimizer.lr is 0.001: write `optim_wrapper = dict(task=dict(optimizer=dict(lr=0.5)))`"),
        ("seed = 3", "write `randomness = dict(seed=3)` and `train_dataloader = dict(dataset=dict(seed=3))` and "
         "`val_dataloader = dict(dataset=dict(seed=3))`, too"),
    ],
)  # fmt: skip
def test_a_setting_without_its_places_is_refused(write, lines, said):
    path = write("mine.py", BASE + lines + "\n")
    with pytest.raises(ConfigError, match=re.escape(f"config {path}: {lines.split(chr(10))[0]} changes")) as error:
        load_config(path)
    assert said in str(error.value)
    built_on_it = write("other.py", "_base_ = './mine.py'\nlog_level = 'ERROR'\n")
    with pytest.raises(ConfigError, match=re.escape(f"config {path}: ")):
        load_config(built_on_it)


def test_what_a_run_left_is_held_to_it_as_well(write, tmp_path):
    load_config(SYNTHETIC).dump(tmp_path / "dumped.py")
    edited = write("edited.py", (tmp_path / "dumped.py").read_text().replace("\nmax_epochs = 10", "\nmax_epochs = 5"))
    with pytest.raises(ConfigError, match=r"max_epochs = 5 changes nothing by itself, train_cfg\.max_epochs is 10"):
        load_config(edited)


def test_a_setting_with_its_places(write):
    path = write("mine.py", BASE + "max_epochs = 5\ntrain_cfg = dict(max_epochs=max_epochs)\n")
    config = load_config(path)
    assert config.to_dict() == Config.fromfile(path).to_dict()
    assert load_config(path, {"max_epochs": 6}).train_cfg.max_epochs == 6
    other = write("other.py", BASE + "train_cfg = dict(max_epochs=20, meta_steps=3)\n")  # the top is left as it was
    assert load_config(other, {"max_epochs": 6}).train_cfg.max_epochs == 6


def test_dicts_alone_are_all_that_a_config_needs(write, tmp_path):
    lines = "model = dict(inner_lr=0.1)\nval_cfg = dict(task_size=32)\ntrain_cfg = dict(task_size=32)\n"
    path = write("mine.py", BASE + lines)
    config = load_config(path)
    assert (config.model.inner_lr, config.train_cfg.task_size) == (0.1, 32)
    assert (config.inner_lr, config.task_size) == (0.1, 32)  # the settings follow
    assert load_config(path, {"inner_lr": 0.3}).model.inner_lr == 0.3
    config.dump(tmp_path / "dumped.py")
    assert load_config(str(tmp_path / "dumped.py")).to_dict() == config.to_dict()


def test_a_place_with_a_value_of_its_own_is_left_alone(write, tmp_path):
    path = write("mine.py", BASE + "optim_wrapper = dict(task=dict(optimizer=dict(lr=0.25)))\n")
    by_option = load_config(SYNTHETIC, {"optim_wrapper.task.optimizer.lr": 0.25})
    assert load_config(path).to_dict() == by_option.to_dict()
    by_option.dump(tmp_path / "dumped.py")
    for given in (path, str(tmp_path / "dumped.py")):
        config = load_config(given, {"lr": 0.5})
        assert [config.optim_wrapper[part].optimizer.lr for part in ("fusion", "task", "loss")] == [0.5, 0.25, 5e-4]
        assert config.lr == 0.5
    both = load_config(SYNTHETIC, {"optim_wrapper.task.optimizer.lr": 0.25, "lr": 0.5})
    assert both.to_dict() == config.to_dict()


def test_places_that_a_config_takes_away(write):
    path = write("mine.py", BASE + "train_dataloader = dict(dataset=dict(_delete_=True, type='metaloss.Mine'))\n")
    assert load_config(path, {"seed": 3, "image_size": (32, 32)}).val_dataloader.dataset.size == (32, 32)
    with pytest.raises(ConfigError, match=r"none of the places of 'train_scenes', train_dataloader\.dataset\.length"):
        load_config(path, {"train_scenes": 3})
    with pytest.raises(ConfigError, match="has no 'data_root'"):
        load_config(SYNTHETIC, {"data_root": "x"})


def test_settings_of_ones_own(write):
    own = "settings = dict(epsilon='optim_wrapper.fusion.optimizer.eps')\n"
    path = write("mine.py", BASE + own + "optim_wrapper = dict(fusion=dict(optimizer=dict(eps=1e-8)))\n")
    config = load_config(path, {"epsilon": 1e-6})
    assert (config.epsilon, config.optim_wrapper.fusion.optimizer.eps) == (1e-6, 1e-6)
    assert "max_epochs" in config.settings
    listed = write("listed.py", "steps = 4\nloop = [dict(steps=4)]\nsettings = dict(steps='loop.0.steps')\n")
    assert load_config(listed, {"steps": 5}).loop == [{"steps": 5}]


def test_ranges_of_every_form_act_in_training_and_validation(tmp_path):
    noise = np.random.default_rng(0)
    for folder in ("ir", "vi", "label"):
        (tmp_path / folder).mkdir()
        for name in ("a", "b"):
            Image.fromarray(noise.integers(0, 3 if folder == "label" else 256, (8, 8), dtype=np.uint8)).save(
                tmp_path / folder / f"{name}.png"
            )
    given = {
        "range=data": "data data",
        "range=percentiles,1,99": "percentiles,1,99 percentiles,1,99",
        "range=(10,200)": "10,200 10,200",
        "range=data,full": "data full",
        "range={'vi':('percentiles',1,99)}": "full percentiles,1,99",
    }
    places = ["data_root=" + str(tmp_path), "train_split=[:50%]", "val_split=[50%:]"]
    for option, expected in given.items():
        for name in ("tdfusion/segformer_msrs", "refusion/ivif"):
            config = load_config(name, parse_options([*places, option]))
            for part in ("train", "val"):
                [paired] = paired_datasets(build_dataset(config, f"{part}_dataloader"))
                assert " ".join(str(reading.range) for reading in paired.readings) == expected
    by_tuple = load_config("tdfusion/segformer_msrs", {"range": ("data", "full")})
    override(by_tuple, {"range": "data"})
    assert by_tuple.val_dataloader.dataset.range == "data"
