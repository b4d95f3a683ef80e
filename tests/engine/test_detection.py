"""Training with detectors by config: the real command on real pairs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("mmengine")

from metaloss.configs import shipped_configs
from metaloss.engine import build_dataset, build_model, load_config
from metaloss.runtime import files

FRAMEWORKS = {"yolov8": "ultralytics", "yolox": "mmdet"}
SHORT = """
_base_ = "metaloss::tdfusion/{name}.py"
model = dict(inner_lr=1e-3)
train_cfg = dict(warmup_epochs=0, meta_steps=2, fusion_crop=(32, 32), task_size=(96, 128))
val_cfg = dict(task_size=(96, 128))
val_evaluator = [dict(type="metaloss.FusionMetric", metrics=("EN",))]
default_hooks = dict(logger=dict(interval=1))
log_processor = dict(window_size=1)
"""


def steps(work_dir):
    """What the newest run logged per step."""
    newest = sorted(work_dir.glob("*/vis_data/scalars.json"))[-1]
    return [line for line in map(json.loads, newest.read_text().splitlines()) if "epoch" in line]


@pytest.mark.slow
@pytest.mark.parametrize("detector", FRAMEWORKS)
def test_the_real_command_on_real_pairs(detector, real_data, tmp_path):
    pytest.importorskip(f"metaloss_{FRAMEWORKS[detector]}.framework")
    config, work_dir = tmp_path / f"{detector}_short.py", tmp_path / "work"
    config.write_text(SHORT.format(name=f"{detector}_msrs"))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [Path(sys.executable).with_name("metaloss"), "train", config, "--work-dir", work_dir]
    command += ["--cfg-options", f"data_root={real_data('msrs_det')}", "lr=1e-3"]
    losses = []
    for epochs, more in ((1, []), (3, ["--resume"])):
        done = subprocess.run(
            [*command, "--cfg-options", f"max_epochs={epochs}", *more],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "mAP50: " in done.stdout
        losses += [step["fusion/loss"] for step in steps(work_dir) if "fusion/loss" in step]
    assert len(losses) == 60
    assert np.mean(losses[40:]) < np.mean(losses[:20])
    logged = steps(work_dir)
    assert {step["epoch"] for step in logged} == {2, 3}
    assert len([step for step in logged if "meta/outer_loss" in step]) == 4
    assert all(np.isfinite(value) for step in logged for value in step.values() if isinstance(value, float))
    content = files.load(work_dir / "epoch_3.pth")
    assert content["meta"]["epoch"] == 3
    assert {name.partition(".")[0] for name in content["state_dict"]} == {"fusion", "loss", "task"}
    assert not any("criterion" in name for name in content["state_dict"])


@pytest.mark.parametrize("detector", FRAMEWORKS)
@pytest.mark.parametrize(("data", "count", "size"), [("m3fd", 6, (192, 256)), ("llvip", 1, (256, 320))])
def test_settings_of_m3fd_and_llvip(detector, data, count, size):
    config = load_config(f"tdfusion/{detector}_{data}")
    assert config.train_cfg.task_size == config.val_cfg.task_size == size
    assert (config.max_epochs, config.meta_steps, config.batch_size, config.lr) == (50, 200, 2, 1e-4)
    assert len(config.model.task.classes) == count


@pytest.mark.parametrize("data", ["synthetic", "msrs", "m3fd", "llvip"])
@pytest.mark.parametrize("detector", FRAMEWORKS)
def test_settings_hold_wherever_they_are_used(detector, data):
    assert f"tdfusion/{detector}_{data}" in shipped_configs()
    options = {"max_epochs": 3, "batch_size": 4, "lr": 0.5, "task_size": (32, 64), "crop_size": (16, 16), "seed": 5}
    config = load_config(f"tdfusion/{detector}_{data}", options)
    assert [config.optim_wrapper[part].optimizer.lr for part in ("fusion", "task", "loss")] == [0.5] * 3
    assert config.train_cfg.max_epochs == 3
    assert config.train_cfg.task_size == config.val_cfg.task_size == (32, 64)
    assert config.train_cfg.fusion_crop == (16, 16)
    assert config.train_dataloader.batch_size == config.val_dataloader.batch_size == 4
    assert config.randomness.seed == 5
    if data == "synthetic":
        assert config.train_dataloader.dataset.seed == 5
        assert build_dataset(config, "train_dataloader")[0]["target"].keys() == {"boxes", "labels"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("detector", FRAMEWORKS)
def test_the_models_of_the_configs(detector):
    pytest.importorskip(f"metaloss_{FRAMEWORKS[detector]}.framework")
    model = build_model(load_config(f"tdfusion/{detector}_synthetic"))
    assert model.task.classes == ("person", "sign", "car")
    assert model.fusion(torch.rand(1, 1, 32, 32), torch.rand(1, 1, 32, 32)).shape == (1, 1, 32, 32)
