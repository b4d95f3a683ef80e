"""Several tasks, and more than two sources, by config and by the real commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from toys import relative_error, scenes

pytest.importorskip("mmengine")

import metaloss
from metaloss.data import SyntheticScenes, collate
from metaloss.engine import build_dataset, build_model, load_config
from metaloss.hypergradient import forward, reverse
from metaloss.networks import LossGenerator, ReFusionNet
from metaloss.runtime import files

METALOSS = Path(sys.executable).with_name("metaloss")
THREE = """
_base_ = "metaloss::tdfusion/segformer_cwfid.py"

custom_imports = dict(imports=["metaloss.engine", "tiny"])
sources = ("ir", "vi", "nir")
classes = ("background", "person", "sign", "car")
task_size = (32, 40)
optimizer = dict(optimizer=dict(lr=1e-3))

model = dict(
    inner_lr=1e-3,
    fusion=dict(sources=3),
    loss=dict(generator=dict(type="metaloss.Generator", name="restormer", sources=3)),
    task=dict(_delete_=True, type="metaloss.Tiny"),
)
train_dataloader = dict(dataset=dict(sources=sources, classes=classes))
val_dataloader = dict(dataset=dict(sources=sources, classes=classes))
optim_wrapper = dict(fusion=optimizer, task=optimizer, loss=optimizer)
train_cfg = dict(max_epochs=2, warmup_epochs=1, meta_steps=2, fusion_crop=(16, 16), task_size=task_size)
val_cfg = dict(task_size=task_size)
val_evaluator = [dict(type="metaloss.FusionMetric", metrics=("EN", "SF"))]
default_hooks = dict(logger=dict(interval=1))
log_processor = dict(window_size=1)
"""
TINY = """
import torch
import metaloss
from metaloss.registry import MODELS


@MODELS.register_module()
class Tiny(metaloss.ModuleTask):
    def __init__(self):
        super().__init__(torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.functional.cross_entropy)

    def evaluator(self):
        return Nothing()


class Nothing:
    def update(self, predictions, target):
        pass

    def compute(self):
        return {}
"""


def run(*arguments, cwd):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [METALOSS, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def three(tmp_path):
    """Six procedural scenes with a third source: the visible image of a camera that sees warm things a little."""
    root = tmp_path / "data"
    metaloss.data.write_scenes(root, SyntheticScenes(6, size=(32, 40)))
    (root / "nir").mkdir()
    for file in (root / "ir").iterdir():
        ir, vi = (np.asarray(Image.open(root / name / file.name).convert("L"), float) for name in ("ir", "vi"))
        Image.fromarray((0.3 * ir + 0.7 * (255 - vi)).astype(np.uint8)).save(root / "nir" / file.name)
    (tmp_path / "tiny.py").write_text(TINY)
    (tmp_path / "three.py").write_text(THREE)
    return tmp_path


@pytest.mark.slow
def test_three_sources_train_fuse_and_are_drawn(three):
    run("train", "three.py", "--work-dir", "work", "--cfg-options", "data_root=data", cwd=three)
    [log] = sorted((three / "work").glob("*/vis_data/scalars.json"))
    logged = [json.loads(line) for line in log.read_text().splitlines()]
    weights = [[step[f"fusion/weight_{k}"] for k in range(3)] for step in logged if "fusion/weight_0" in step]
    assert len(weights) == 6
    assert np.allclose(np.sum(weights, 1), 1, atol=1e-5)
    assert (np.array(weights) > 0.01).all()
    assert "fusion/weight_3" not in logged[-2]
    drawn = {path.stem.rsplit("_", 1)[1] for path in (three / "work" / "pictures" / "weights").iterdir()}
    assert drawn == {"ir", "vi", "nir"}
    found = files.load(three / "work" / "epoch_2.pth")["metaloss"]
    assert found["fusion"] == {"name": "refusion", "arguments": {"sources": 3}}
    assert found["generator"]["arguments"]["sources"] == 3
    folders = [f"data/{name}" for name in ("ir", "vi", "nir")]
    run("fuse", *folders, "--weights", "work/epoch_2.pth", "--out", "fused", cwd=three)
    fused = [np.asarray(Image.open(path)) for path in sorted((three / "fused").iterdir())]
    assert [image.shape[:2] for image in fused] == [(32, 40)] * 6


@pytest.mark.slow
@pytest.mark.parametrize("sources", [3, 4])
def test_meta_gradients_with_more_sources_are_exact(sources):
    pair = [scenes(seed, sources=sources, size=(12, 8), view=(8, 8)) for seed in (1, 2)]
    subject = metaloss.MetaLearner(
        fusion=ReFusionNet(sources=sources).double(),
        loss=metaloss.LearnableFusionLoss(LossGenerator(sources=sources)).double(),
        task=metaloss.ModuleTask(torch.nn.Conv2d(1, 3, 3, padding=1), F.cross_entropy).double(),
        inner_lr=0.1,
    )
    exact = reverse(subject.problem, *pair).gradients
    assert relative_error(forward(subject.problem, *pair).gradients, exact) < 1e-10
    reached = {name.split(".")[1] for name, value in exact.items() if name.startswith("generator.encoders")}
    assert all(value.any() for name, value in exact.items() if "embed" in name), reached
    log = subject.fusion_step(pair[0])
    assert sum(log[f"weight_{k}"] for k in range(sources)).item() == pytest.approx(1)


def test_several_targets_of_one_scene():
    dataset = SyntheticScenes(
        3, size=(32, 40), target={"seg": "segmentation", "box": "detection", "sky": "classification"}
    )
    given = collate([dataset[0], dataset[1]]).target
    assert given["seg"].shape == (2, 32, 40)
    assert [set(each) for each in given["box"]] == [{"boxes", "labels"}] * 2
    weather = [dataset.scene(k).condition for k in range(2)]
    assert [("day", "night", "haze")[number] for number in given["sky"]] == weather
    assert given["sky"].dtype == torch.int64
    for target in ({"seg": "segmentatoin"}, {"seg": None}):
        with pytest.raises(metaloss.ConfigError, match="give one of 'segmentation', 'detection', 'classification'"):
            SyntheticScenes(1, target=target)


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["uncertainty", "dict(_delete_=True, seg=1.0, weather=0.25)"])
def test_the_shipped_config_of_several_tasks(weights, tmp_path):
    pytest.importorskip("mmseg")
    pytest.importorskip("timm")
    value = f'"{weights}"' if weights == "uncertainty" else weights
    (tmp_path / "mine.py").write_text(
        f'_base_ = "metaloss::tdfusion/multitask_synthetic.py"\nmodel = dict(task=dict(weights={value}))\n'
    )
    options = ["train_scenes=4", "val_scenes=2", "image_size=(32,32)", "crop_size=16", "task_size=32"]
    options += ["max_epochs=2", "warmup_epochs=1", "meta_steps=1"]
    settings = [word for option in options for word in ("--cfg-options", option)]
    out = run("train", "mine.py", "--work-dir", "work", *settings, cwd=tmp_path)
    assert "seg/mIoU: " in out
    assert "weather/top1: " in out
    state = files.load(tmp_path / "work" / "epoch_2.pth")["state_dict"]
    learned = [value.item() for name, value in state.items() if "log_variances" in name]
    assert [value != 0 for value in learned] == [True, True] * (weights == "uncertainty")


@pytest.mark.parametrize(("name", "classes"), [("segformer_msrs", 9), ("segformer_fmb", 15)])
def test_segmentation_configs_fit_their_data_sets(name, classes, tmp_path):
    """In plain folders with lists, and the highest class id in the labels."""
    pytest.importorskip("mmseg")
    for folder in ("ir", "vi", "label"):
        (tmp_path / folder).mkdir()
        for stem in ("00001D", "00002N"):
            pixels = np.full((48, 64), classes - 1 if folder == "label" else 90, np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{stem}.png")
    (tmp_path / "train.txt").write_text("00001D\n")
    (tmp_path / "test.txt").write_text("00002N\n")
    config = load_config(f"tdfusion/{name}", {"data_root": str(tmp_path)})
    for key, stem in (("train_dataloader", "00001D"), ("val_dataloader", "00002N")):
        dataset = build_dataset(config, key)
        assert [pair.name for pair in dataset.pairs] == [stem]
        assert (dataset.num_classes, int(dataset[0]["target"].max())) == (classes, classes - 1)
        assert "in plain folders" in dataset.found
    model = build_model(config)
    assert model.task.segmentor.decode_head.num_classes == classes
    item = dataset[0]
    loss = model.task(torch.rand(1, 1, 48, 64), item["target"][None])
    assert loss["decode.loss_ce"].isfinite()
