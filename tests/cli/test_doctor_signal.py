"""``metaloss doctor CONFIG --signal``: what the task asks of the fusion loss before hours of training."""

import re

import numpy as np
import pytest
import torch
from PIL import Image

from metaloss.report.signal_file import read_signal
from metaloss.runtime import files

pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ImportWarning:mmcv"),
]
REFUSION = "refusion/ivif_synthetic"
LEVEL = "{'type':'metaloss.LossGenerator','outputs':('intensity','gradient'),'level':True}"
SMALL = ("--cfg-options", "train_scenes=4", "val_scenes=2", "image_size=32", "task_size=32", "crop_size=16")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in."""
    path = tmp_path / "here"
    path.mkdir()
    monkeypatch.chdir(path)
    return path


@pytest.fixture
def mine(tmp_path):
    """Writes a config of ReFusion on small scenes with other settings; gives its path."""

    def write(text):
        path = tmp_path / "mine.py"
        path.write_text(f"_base_ = 'metaloss::{REFUSION}.py'\n{text}")
        return path

    return write


def asked(out):
    """The cells of a table's rows, by their first."""
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines() if line.startswith("│")]
    return {first: rest for first, *rest in rows}


@pytest.mark.slow
def test_after_some_of_the_warm_up(command, folder):
    done = command("doctor", REFUSION, "--signal", "--steps", 3, "--pairs", 2, *SMALL)
    assert (done.status, done.err) == (0, "")
    assert f"{REFUSION}, after 3 of the 4 fusion steps of the config's warm-up, 2 epochs" in done.out
    assert "asked by 2 pairs of batches of epoch 3, 32x32 pixels" in done.out
    rows = asked(done.out)
    assert list(rows) == ["network (this config)", "image"]
    for one_sided, agreement in rows.values():
        assert 0 <= float(one_sided) <= 1
        assert -1 <= float(agreement) <= 1
    assert "mean (t)" not in done.out
    picture = folder / "work_dirs" / "signal" / f"{REFUSION}.png"
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == [picture.with_suffix(".json"), picture]
    assert np.asarray(Image.open(picture).convert("RGB")).std() > 10
    assert f"maps: {picture.relative_to(folder)}" in done.out


@pytest.mark.slow
def test_a_config_without_warm_up(command, folder, mine):
    config = mine("train_cfg = dict(warmup_epochs=0)\nmodel = dict(inner_update='image')")
    options = ("--signal", "--pairs", 2, "--maps", "maps.PNG", *SMALL)
    done = command("doctor", config, *options)
    assert done.status == 0
    assert "after all 2 fusion steps of one epoch (the config has no warm-up)" in done.out
    assert list(asked(done.out)) == ["network", "image (this config)"]
    assert sorted(path.name for path in folder.iterdir()) == ["maps.PNG", "maps.json"]
    kept = read_signal(folder / "maps.json")
    assert kept.own == "image"
    assert f"{kept.updates['network'].one_sided:.2f}" in done.out
    assert kept.asked[0] in done.out


@pytest.mark.slow
def test_an_inner_update_that_the_settings_refuse(command, mine):
    config = mine("model = dict(separate_fusion_learning=False)")
    done = command("doctor", config, "--signal", "--steps", 0, "--pairs", 2, *SMALL)
    assert done.status == 0
    assert list(asked(done.out)) == ["network (this config)"]
    assert "image is missing: inner_update='image' with separate_fusion_learning=False: there is no" in done.out


@pytest.mark.slow
def test_a_checkpoint_says_what_its_own_warm_up_says(command, folder):
    options = (*SMALL, "max_epochs=1", "warmup_epochs=1")
    assert command("train", REFUSION, "--work-dir", "run", *options).status == 0
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    doctor = ("doctor", REFUSION, "--signal", "--pairs", 2, "--maps", "maps.png")
    warmed = command(*doctor, *options)
    loaded = command(*doctor, "--weights", "run/epoch_1.pth", *options)
    assert "at the weights of run/epoch_1.pth, after 1 epoch\n" in loaded.out
    assert "other data or settings" not in loaded.out
    assert asked(loaded.out) == asked(warmed.out)
    assert {path: path.read_bytes() for path in before} == before
    start = command(*doctor, "--steps", 0, *options, "load_from=run/epoch_1.pth")
    assert asked(start.out)["image"][0] == asked(loaded.out)["image"][0]
    others = command(*doctor, "--weights", "run/epoch_1.pth", *options, f"model.loss.generator={LEVEL}")
    assert "had other data or settings than this config: loss.generator.level: False, now True\n" in others.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "classes"),
    [
        ("tdfusion/yolov8_synthetic", ["person", "sign", "car", "elsewhere"]),
        ("tdfusion/multitask_synthetic", ["background", "person", "sign", "car"]),
    ],
)
def test_classes_have_their_names(command, config, classes):
    options = ("train_scenes=6", "image_size=64", "task_size=64", "crop_size=32")
    done = command("doctor", config, "--signal", "--steps", 1, "--pairs", 2, "--cfg-options", *options)
    assert done.status == 0
    assert "asked of ir: mean (t)" in done.out
    rows = list(asked(done.out).items())[2:]
    assert {name for name, _ in rows} <= set(classes)
    assert len(rows) >= 3
    for _, (network, image, pairs) in rows:
        assert re.fullmatch(r"[+-]\d+\.\d\d \((-?\d+\.\d|nan)\)", network)
        assert re.fullmatch(r"[+-]\d+\.\d\d \((-?\d+\.\d|nan)\)", image)
        assert pairs in ("1", "2")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--weights", "a.pth"), "--weights a.pth: acts with --signal alone"),
        (("--steps", 3), "--steps 3: acts with --signal alone"),
        (("--pairs", 3), "--pairs 3: acts with --signal alone"),
        (("--maps", "a.png"), "--maps a.png: acts with --signal alone"),
        (("--signal", "--pairs", 1), "Invalid value for '--pairs'"),
        (("--signal", "--steps", -1), "Invalid value for '--steps'"),
        (("--signal", "--steps", 3, "--weights", "a.pth"), "a file needs no warm-up"),
        (("--signal", "--weights", "a.pth"), "--weights a.pth: no such file"),
        (("--signal", "--maps", "a.jpg"), "--maps a.jpg: expected a file whose name ends in .png"),
        (("--signal", "--cfg-options", "lrr=1"), "did you mean 'lr'"),
        (("--signal", "--cfg-options", "task_size=0"), "size 0: expected a number of pixels"),
    ],
)
def test_options_that_cannot_be(refused, folder, options, message):
    assert message in refused("doctor", REFUSION, *options)
    assert list(folder.iterdir()) == []


def test_without_a_config_or_its_data(refused, monkeypatch, folder):
    assert refused("doctor", "--signal").startswith("--signal is about a config: give one")
    monkeypatch.setenv("METALOSS_DATA", "absent")
    assert refused("doctor", "tdfusion/segformer_cwfid", "--signal").startswith("absent/cwfid_seg: no such data folder")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("model = dict(fusion='weighted_sum')", "fusion='weighted_sum' there is no fusion loss that could hear"),
        ("model = dict(loss=dict(weights='uniform', gradient='per_axis'))", "no trainable parameter: with uniform"),
        ("train_cfg = dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=1)", "--signal needs metaloss."),
    ],
)
def test_configs_that_it_cannot_be_taken_of(refused, mine, folder, settings, message):
    assert message in refused("doctor", mine(settings), "--signal", *SMALL[:4])
    assert list(folder.iterdir()) == []


def test_files_that_it_cannot_be_taken_at(refused, folder, weights, monkeypatch):
    doctor = ("doctor", REFUSION, "--signal")
    line = refused(*doctor, "--weights", weights)
    assert line.startswith(f"--weights {weights}: not a checkpoint of this config's networks: it lacks ['task', 'loss'")
    weights.write_bytes(weights.read_bytes()[:500])
    assert refused(*doctor, "--weights", weights).startswith(f"{weights}: ")
    (folder / "file").write_text("")
    assert refused(*doctor, "--maps", "file/maps.png") == "--maps file/maps.png: file: is a file; give a folder"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "`metaloss doctor --signal` needs matplotlib, not installed: pip install" in refused(*doctor)
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_a_checkpoint_of_other_networks(refused, tmp_path):
    state = {name: {"weight": torch.ones(2)} for name in ("fusion", "loss", "task")}
    state |= {"optimizers": dict.fromkeys(state), "schedulers": [], "random": files.random_state()}
    state["pending"] = {"gradients": {}, "count": 0, "skipped": 0, "meta": {"count": 0}}
    state["progress"] = {"epoch": 0, "step": 0, "means": {}, "seed": 0, "log": []}
    files.save(tmp_path / "other.pth", state)
    line = refused("doctor", REFUSION, "--signal", "--weights", tmp_path / "other.pth")
    assert "not a checkpoint of this config's networks: the saved fusion network is not this ReFusionNet" in line
