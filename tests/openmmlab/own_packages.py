"""OpenMMLab's own packages, in an environment of their own: only `make test-openmmlab` finds this file, by its name.

The main environment has the continued packages, and one environment cannot hold both.
"""

import importlib
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import metaloss
from metaloss.errors import ConfigError, PluginError
from metaloss.tasks import task_loss

SEGFORMER = "mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py"
MASKFORMER = "mmseg::maskformer/maskformer_r50-d32_8xb2-160k_ade20k-512x512.py"
PSANET = "mmseg::psanet/psanet_r50-d8_4xb2-40k_cityscapes-512x1024.py"


def build(config, num_classes=3):
    torch.manual_seed(0)
    return metaloss.build_task("mmseg", config=config, num_classes=num_classes)


def command(*words):
    program = Path(sys.executable).with_name("metaloss")
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


def test_these_are_openmmlabs_own_packages():
    names = {(found.metadata["Name"] or "").lower() for found in importlib.metadata.distributions()}
    assert {"mmengine", "mmcv-lite", "mmsegmentation"} <= names
    assert not [name for name in names if name.startswith("onedl")]


def test_versions():
    lines = command("doctor")
    assert "mmengine mmengine 0.10.7" in lines
    assert "mmcv mmcv-lite 2.1.0, without its operators, which MMDetection needs" in lines
    assert "mmseg mmsegmentation 1.2.2" in lines


def test_the_list():
    ready = [line for line in command("list") if line.startswith("mmseg ready")]
    assert len(ready) == 1


def test_a_name_is_found_without_an_installation(no_processes):
    assert type(build(SEGFORMER).segmentor.backbone).__name__ == "MixVisionTransformer"


def test_a_users_config_may_name_theirs_as_its_base(tmp_path, no_processes):
    (tmp_path / "mine.py").write_text(f"_base_ = '{SEGFORMER}'\n")
    first, second = (build(config).state_dict() for config in (tmp_path / "mine.py", SEGFORMER))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_users_config_that_would_set_off_an_installation(tmp_path, no_processes):
    (tmp_path / "mine.py").write_text("_base_ = 'mmdet::yolox/yolox_tiny_8xb8-300e_coco.py'\n")
    with pytest.raises(ConfigError, match=r"mine\.py.*mmdet"):
        build(tmp_path / "mine.py")


def test_importing_leaves_mmcv_without_operators():
    build(SEGFORMER)
    assert not [name for name in sys.modules if name.startswith(("mmcv.ops", "mmcv._ext"))]
    with pytest.raises(ModuleNotFoundError, match=r"mmcv\._ext"):
        importlib.import_module("mmcv.ops")


def test_an_operator_that_is_not_there_is_named():
    task = build(PSANET).eval()
    with pytest.raises(PluginError, match=r"operator 'psamask_forward' is needed, and mmcv 2\.1\.0 .* without"):
        task_loss(task, torch.rand(1, 1, 64, 64), torch.randint(3, (1, 64, 64)))


def test_a_network_with_parts_of_mmdetection():
    with pytest.raises(ConfigError, match=r"mmdet\.PixelDecoder, a part of MMDetection, which is not installed"):
        build(MASKFORMER)


def test_the_shipped_configs_are_theirs_too():
    from mmengine.config import Config

    from metaloss.configs import shipped_configs
    from metaloss.engine import load_config

    for name, path in shipped_configs().items():
        assert Config.fromfile(path).to_dict() == load_config(name).to_dict()
