"""Training by config: the real command on real pairs, and the parts of the trainer in small."""

import itertools
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

pytest.importorskip("mmengine")

import metaloss
from metaloss.cli.main import main
from metaloss.data import SyntheticScenes, collate, read_image, write_image
from metaloss.engine import MetaLossModel, MetaLossRunner, build_network, load_config
from metaloss.engine.registry import MODELS
from metaloss.errors import CheckpointError
from metaloss.plugins import load_fusion
from metaloss.runtime import files

CWFID = "tdfusion/segformer_cwfid"
SMALL = """
_base_ = "metaloss::tdfusion/segformer_synthetic.py"
model = dict(task=dict(_delete_=True, type="metaloss.TinyTask"), inner_lr=0.1)
default_hooks = dict(logger=dict(interval=1))
"""
SIZES = (
    "train_scenes=4",
    "val_scenes=2",
    "image_size=(32,32)",
    "crop_size=16",
    "task_size=32",
    "meta_steps=1",
    "warmup_epochs=1",
    "lr=1e-3",
    "loss_lr=1e-3",
)
NUMBERS = itertools.count()


@MODELS.register_module(force=True)
class TinyTask(metaloss.ModuleTask):
    """A segmentation network of one layer, without an evaluator of its own."""

    def __init__(self):
        super().__init__(torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.functional.cross_entropy)

    def evaluator(self):
        return Accuracy()


class Accuracy:
    def __init__(self):
        self.right = []

    def update(self, predictions, target):
        self.right += [(image.argmax(0) == ids).float().mean() for image, ids in zip(predictions, target, strict=True)]

    def compute(self):
        return {"accuracy": float(torch.stack(self.right).mean())}


@pytest.fixture
def train(tmp_path, capsys):
    """Trains a small config in this process; gives the work dir."""

    def run(source=SMALL, *options, work_dir="work", resume=False, sizes=SIZES):
        config = tmp_path / f"small_{next(NUMBERS)}.py"  # MMEngine tells runs apart by name and second
        config.write_text(source)
        settings = [word for option in (*sizes, *options) for word in ("--cfg-options", option)]
        with pytest.raises(SystemExit) as stopped:
            main(["train", str(config), "--work-dir", str(tmp_path / work_dir), *["--resume"] * resume, *settings])
        written = capsys.readouterr()
        assert stopped.value.code == 0, written.err
        return tmp_path / work_dir

    return run


def scalars(work_dir):
    """What the run logged: per step, and per validation."""
    [newest] = sorted(work_dir.glob("*/vis_data/scalars.json"))[-1:]
    lines = [json.loads(line) for line in newest.read_text().splitlines()]
    phases = [line for line in lines if any(name.startswith("epoch/") for name in line)]
    others = [line for line in lines if line not in phases]
    return [line for line in others if "epoch" in line], [line for line in others if "epoch" not in line]


@pytest.mark.slow
def test_the_real_command_on_real_pairs(real_data, tmp_path):
    work_dir = tmp_path / "work"
    settings = [
        f"data_root={real_data('cwfid_seg')}", "max_epochs=2", "warmup_epochs=0", "meta_steps=3", "crop_size=32",
        "task_size=(48,64)", "lr=1e-3", "default_hooks.logger.interval=1", "log_processor.window_size=1",
    ]  # fmt: skip
    options = [word for setting in settings for word in ("--cfg-options", setting)]
    command = [Path(sys.executable).with_name("metaloss"), "train", CWFID, "--work-dir", work_dir, *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("phase: meta", "phase: fusion", "eta: ", "outer_loss: ", "task_loss: ", "weight_0: ", "mIoU: "):
        assert word in done.stdout
    assert f"fused images and weight maps: {work_dir}/pictures/" in done.stdout
    table = done.stdout[done.stdout.index("validation") :]
    assert all(
        row in table for row in ("before", "after", "task loss", "mIoU", "mean weight of ir", "mean weight of vi")
    )
    steps, validations = scalars(work_dir)
    losses = {
        name: [
            torch.tensor([step[name] for step in steps if step["epoch"] == epoch and name in step]) for epoch in (1, 2)
        ]
        for name in ("meta/inner_loss", "meta/outer_loss", "fusion/loss", "fusion/task_loss")
    }
    assert [len(losses["meta/outer_loss"][0]), len(losses["fusion/loss"][1])] == [3, 15]
    for name, (first, last) in losses.items():
        assert torch.cat([first, last]).isfinite().all(), name
        if name.startswith("fusion"):
            assert last.mean() < first.mean(), name
    assert [validation["step"] for validation in validations] == [0, 1, 2]
    assert all(0 <= validation["mIoU"] <= 100 for validation in validations)
    # the numbers of the last validation are its own, in the log as in the table
    assert f"{validations[-1]['task_loss']:.4g}" in table
    content = files.load(work_dir / "epoch_2.pth")
    assert {name.partition(".")[0] for name in content["state_dict"]} == {"fusion", "loss", "task"}
    assert content["optimizers"].keys() == {"fusion", "loss", "task"}
    assert all(part["state"] for part in content["optimizers"].values())
    assert content["metaloss"]["fusion"] == {"name": "refusion", "arguments": {}}
    assert content["random"].keys() == {"torch", "cuda", "numpy", "python"}
    assert (content["meta"]["epoch"], content["meta"]["iter"]) == (2, 36)
    own = load_fusion(work_dir / "epoch_2.pth").state_dict()
    assert all(torch.equal(value, content["state_dict"][f"fusion.{name}"]) for name, value in own.items())
    pictures = work_dir / "pictures"
    assert read_image(pictures / "fused" / "006.png").shape == (1, 48, 64)
    assert sorted(path.name for path in (pictures / "weights").glob("006_*")) == ["006_ir.png", "006_vi.png"]
    assert read_image(pictures / "overview.png").shape[0] == 3
    assert list(work_dir.glob("*/vis_data/vis_image/val_006_2.png"))


def test_a_task_of_ones_own_trains_by_config(train):
    work_dir = train(SMALL, "max_epochs=2", "train_cfg.val_interval=1")
    steps, validations = scalars(work_dir)
    assert [sorted({name.partition("/")[0] for name in step if "/" in name}) for step in steps] == [["fusion"]] * 2 + [
        ["meta"], ["fusion"], ["fusion"]
    ]  # fmt: skip
    assert {"accuracy", "task_loss", "weight_0", "weight_1", "entropy"} <= validations[-1].keys()
    assert (work_dir / "pictures" / "overview.png").exists()
    assert not list(work_dir.glob(".*"))


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


@pytest.mark.slow
def test_a_network_of_ones_own_trains_and_fuses_by_config(train, tmp_path, monkeypatch, capsys):
    (tmp_path / "blend_network.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(tmp_path)
    mine = (
        SMALL
        + """
custom_imports = dict(imports=["metaloss.engine", "blend_network"], allow_failed_imports=False)
model.update(fusion=dict(_delete_=True, type="metaloss.Blend", kernel=5))
"""
    )
    try:
        path = train(mine, "max_epochs=2") / "epoch_2.pth"
        spec = files.load(path)["metaloss"]["fusion"]
        assert spec["config"] == {"type": "metaloss.Blend", "kernel": 5}
        with pytest.raises(CheckpointError, match=r"epoch_2.pth: .*imports 'blend_network'.*--config CONFIG"):
            load_fusion(path, build_network)
        network = load_fusion(path, partial(build_network, allowed=["blend_network"]))
        assert type(network).__name__ == "Blend"
        sources = [tmp_path / f"{name}.png" for name in ("ir", "vi")]
        for file in sources:
            write_image(file, torch.rand(1, 19, 23))
        arguments = ["fuse", *map(str, sources), "--weights", str(path), "--out", str(tmp_path / "out")]
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
        assert "--config CONFIG" in capsys.readouterr().err
        [config] = tmp_path.glob("small_*.py")
        with pytest.raises(SystemExit) as stopped:
            main([*arguments, "--config", str(config)])
        assert stopped.value.code == 0, capsys.readouterr().err
        with torch.no_grad():
            expected = network(*(read_image(file).unsqueeze(0) for file in sources))[0]
        assert (read_image(tmp_path / "out" / "ir.png") - expected).abs().max() <= 0.5 / 255 + 1e-6
    finally:
        sys.modules.pop("blend_network", None)
        MODELS.module_dict.pop("Blend", None)


class Hostile:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


@pytest.mark.slow
def test_weights_to_start_from_run_no_code(train, tmp_path, capsys):
    marker, evil = tmp_path / "marker", tmp_path / "evil.pth"
    for content in ({"state_dict": {"x": Hostile(marker)}}, Hostile(marker)):
        torch.save(content, evil)
        with pytest.raises(AssertionError, match=r"error: .*evil.pth: not a file of plain tensors.*never run"):
            train(SMALL + f"load_from = {str(evil)!r}\n")
        assert not marker.exists()
    model = MODELS.build(load_config(str(next(tmp_path.glob("small_*.py")))).model)
    state = {
        f"module.{key}": torch.full_like(value, 0.25) for key, value in model.state_dict().items() if "fusion" in key
    }
    files.save(tmp_path / "good.pth", {"state_dict": state})
    work = train(SMALL + f"load_from = {str(tmp_path / 'good.pth')!r}\n", "max_epochs=1", "lr=0.0", work_dir="good")
    trained = files.load(work / "epoch_1.pth")["fusion"]
    assert all(torch.equal(trained[key.removeprefix("module.fusion.")], value) for key, value in state.items())


SCHEDULED = (
    SMALL
    + """
param_scheduler = dict(
    fusion=[dict(type="ExponentialLR", gamma=0.5, end=5)],
    task=[dict(type="ExponentialLR", gamma=0.1, end=5)],
    loss=[dict(type="LinearLR", start_factor=0.25, end=4)],
)
"""
)


def rates(work_dir, epoch):
    content = files.load(work_dir / f"epoch_{epoch}.pth")
    return {name: part["param_groups"][0]["lr"] for name, part in content["optimizers"].items()}


def equal(first, second):
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(equal(first[key], second[key]) for key in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(equal, first, second))
    return first == second


@pytest.mark.slow
def test_each_optimizer_has_its_schedule_and_keeps_it_over_a_resume(train):
    whole = train(SCHEDULED, "max_epochs=3", "warmup_epochs=0")
    assert rates(whole, 3) == pytest.approx({"fusion": 1e-3 / 8, "task": 1e-6, "loss": 1e-3}, rel=1e-6)
    assert rates(whole, 1)["loss"] < rates(whole, 2)["loss"] < rates(whole, 3)["loss"]
    train(SCHEDULED, "max_epochs=2", "warmup_epochs=0", work_dir="resumed")
    resumed = train(SCHEDULED, "max_epochs=3", "warmup_epochs=0", work_dir="resumed", resume=True)
    first, second = (files.load(path / "epoch_3.pth") for path in (whole, resumed))
    for part in ("fusion", "loss", "task", "optimizers", "pending", "random", "progress", "metaloss"):
        assert equal(first[part], second[part]), part
    for one, other in zip(first["schedulers"], second["schedulers"], strict=True):
        assert {**one["state"], "end": 0} == {**other["state"], "end": 0}
    assert (second["meta"]["epoch"], second["meta"]["iter"]) == (3, 9)


@pytest.mark.slow
def test_resuming_what_is_finished_changes_nothing(train):
    work_dir = train(SMALL, "max_epochs=1")
    before = (work_dir / "epoch_1.pth").read_bytes()
    train(SMALL, "max_epochs=1", resume=True)
    assert (work_dir / "epoch_1.pth").read_bytes() == before


@pytest.mark.slow
def test_a_loss_that_does_not_learn_has_no_meta_steps(train):
    uniform = SMALL.replace("inner_lr=0.1", "inner_lr=0.1, loss=dict(weights='uniform')")
    work_dir = train(uniform, "max_epochs=2")
    steps, _ = scalars(work_dir)
    assert len(steps) == 4
    optimizers = files.load(work_dir / "epoch_2.pth")["optimizers"]
    assert [name for name, state in optimizers.items() if state is not None] == ["fusion", "task"]


@pytest.mark.slow
def test_the_best_checkpoint_by_a_metric_of_the_fused_images(train):
    best = "default_hooks = dict(checkpoint=dict(save_best='fusion/EN', rule='greater'))\n"
    work_dir = train(SMALL + best, "max_epochs=2")
    assert len(list(work_dir.glob("best_fusion_EN_epoch_*.pth"))) == 1


def test_training_without_validation(train):
    sizes = [size for size in SIZES if not size.startswith("val_scenes")]
    work_dir = train(SMALL + "val_dataloader = val_cfg = val_evaluator = None\n", "max_epochs=1", sizes=sizes)
    assert (work_dir / "epoch_1.pth").exists()


def test_mmengines_own_loop_drives_fusion_steps(tmp_path):
    config = load_config("tdfusion/segformer_synthetic")
    model = MetaLossModel(
        fusion=metaloss.build_fusion("refusion"), loss=metaloss.LearnableFusionLoss(), task=TinyTask(), lr=1e-3
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    runner = MetaLossRunner(
        model=model,
        work_dir=str(tmp_path),
        train_dataloader=DataLoader(SyntheticScenes(4, size=(32, 32)), batch_size=2, collate_fn=collate),
        train_cfg={"by_epoch": True, "max_epochs": 1},
        optim_wrapper=config.optim_wrapper,
        default_scope="metaloss",
        experiment_name="plain",
    )
    runner.train()
    changed = {
        name.partition(".")[0] for name, value in model.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed == {"fusion", "task"}
    assert files.load(tmp_path / "epoch_1.pth")["meta"]["iter"] == 2
