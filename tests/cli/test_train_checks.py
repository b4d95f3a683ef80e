"""What a training config says wrong: one line that names the setting, exit status 2, nothing written."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

pytest.importorskip("mmengine")

import metaloss
from metaloss.cli.train_checks import check_smallest_batch
from metaloss.data import Episodes, SyntheticScenes
from metaloss.engine import MetaLossModel
from metaloss.engine.registry import MODELS
from metaloss.errors import ConfigError
from metaloss.runtime.folders import check_folder

pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ImportWarning:mmcv"),
]


@MODELS.register_module(force=True)
class OneLayer(metaloss.ModuleTask):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 4, 3, padding=1), nn.functional.cross_entropy)


CONFIG = """
_base_ = "metaloss::tdfusion/segformer_synthetic.py"
model = dict(task=dict(_delete_=True, type="metaloss.OneLayer"))
train_cfg = dict(max_epochs=1, warmup_epochs=0, meta_steps=1, fusion_crop=16, task_size=32)
train_dataloader = dict(dataset=dict(length=4, size=(32, 32)))
val_dataloader = dict(dataset=dict(length=2, size=(32, 32)))
"""


@pytest.fixture
def train(refused, tmp_path):
    """Starts a training that has to be refused before it writes anything; gives the message."""

    def run(more="", *options, work_dir="work"):
        config = tmp_path / "mine.py"
        config.write_text(CONFIG + more)
        before = sorted(tmp_path.rglob("*"))
        settings = [word for option in options for word in ("--cfg-options", option)]
        line = refused("train", config, "--work-dir", tmp_path / work_dir, *settings)
        assert sorted(tmp_path.rglob("*")) == before
        return line

    return run


WHOLE = "expected a whole number of at least"


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("train_cfg.max_epochs=0", f"train_cfg.max_epochs=0: {WHOLE} 1"),
        ("train_cfg.max_epochs=-1", f"train_cfg.max_epochs=-1: {WHOLE} 1"),
        ("train_cfg.meta_steps=-1", f"train_cfg.meta_steps=-1: {WHOLE} 0"),
        ("train_cfg.meta_steps=2.5", f"train_cfg.meta_steps=2.5: {WHOLE} 0"),
        ("train_cfg.warmup_epochs=-1", f"train_cfg.warmup_epochs=-1: {WHOLE} 0"),
        ("train_cfg.val_interval=0", f"train_cfg.val_interval=0: {WHOLE} 1"),
        ("train_dataloader.batch_size=0", f"train_dataloader.batch_size=0: {WHOLE} 1"),
        ("train_dataloader.batch_size=-2", f"train_dataloader.batch_size=-2: {WHOLE} 1"),
        ("val_dataloader.batch_size=0", f"val_dataloader.batch_size=0: {WHOLE} 1"),
        ("train_dataloader.num_workers=-1", f"train_dataloader.num_workers=-1: {WHOLE} 0"),
        ("randomness.seed=-1", "randomness.seed=-1: expected a whole number from 0 to 4294967295"),
        (f"randomness.seed={2**70}", f"randomness.seed={2**70}: expected a whole number from 0 to"),
        ("randomness.seed=lucky", "randomness.seed='lucky': expected a whole number"),
        ("model.loss.alpha=abc", "LearnableFusionLoss(alpha='abc'): expected a number of at least 0"),
        ("model.loss.alpha=-1", "LearnableFusionLoss(alpha=-1): expected a number of at least 0"),
        ("log_level=LOUD", "log_level='LOUD': choose one of DEBUG, INFO, WARNING, ERROR"),
        ("log_level=DEBUGG", "(did you mean 'DEBUG'?)"),
    ],
)
def test_numbers_out_of_their_range(train, option, words):
    assert words in train("", option)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("train_cfg = None", "no train_cfg, which says how to train"),
        ("train_cfg = dict(_delete_=True, type='metaloss.MetaLossTrainLoop')", "train_cfg: no max_epochs"),
        ("train_cfg = dict(type='metaloss.MetaLossTrianLoop')", "no such loop (did you mean 'MetaLossTrainLoop'?)"),
        ("train_cfg = dict(meta_step=3)", "train_cfg.meta_step: not known here (did you mean 'meta_steps'?)"),
        ("val_cfg = dict(tasksize=3)", "val_cfg.tasksize: not known here (did you mean 'task_size'?)"),
        ("train_dataloader = dict(pin_memory=True)", "train_dataloader.pin_memory: not known here: train_dataloader"),
        ("custom_hooks = [dict(type='metaloss.PictureHook')]", "custom_hooks[0].type='metaloss.PictureHook': no such"),
        (
            "custom_hooks = [dict(type='no_such_package.Hook')]",
            "custom_hooks[0].type='no_such_package.Hook': no such h",
        ),
        ("custom_hooks = [dict(type='metaloss.PicturesHook', cout=3)]", "custom_hooks[0], metaloss.PicturesHook: "),
        ("default_hooks = dict(logger=dict(interval=0))", "default_hooks.logger, LoggerHook: "),
        (
            "val_evaluator = dict(type='metaloss.FusionMetrik')",
            "val_evaluator[0].type='metaloss.FusionMetrik': no such",
        ),
        ("val_evaluator = dict(type='metaloss.FusionMetric', metrics=['QI'])", "'QI'"),
        ("param_scheduler = dict(loss=[dict(type='StepLRR')])", "param_scheduler.loss[0].type='StepLRR': no such"),
        ("visualizer = dict(vis_backends=[dict(type='Tensorbord')])", "vis_backends[0].type='Tensorbord': no such"),
        ("optim_wrapper = None", "no optim_wrapper, which says how F, T and G are stepped"),
        (
            "optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3))",
            "optim_wrapper has no part for F, T and G each: give constructor='metaloss.MetaLossOptimizers'",
        ),
        (
            "optim_wrapper = dict(task=dict(optimizer=dict(type='Adamm')))",
            "optim_wrapper.task.optimizer.type='Adamm': no such optimizer (did you mean 'Adam'?)",
        ),
        ("optim_wrapper = dict(task=dict(type='OptimWraper'))", "optim_wrapper.task.type='OptimWraper': no such"),
        ("optim_wrapper = dict(loss=dict(optimizer=dict(rate=3)))", "unexpected keyword argument 'rate'"),
        ("optim_wrapper = dict(fusion=dict(optimizer=dict(lr=-1)))", "Invalid learning rate: -1"),
        (
            "optim_wrapper = dict(loss=dict(accumulative_counts=2))",
            "optim_wrapper.loss.accumulative_counts=2: the learner takes the gradients itself, and steps once for "
            "each: give model.accumulate=2 instead",
        ),
        ("optim_wrapper = dict(fusion=dict(accumulative_counts=4))", "give a larger batch_size instead"),
        ("optim_wrapper = dict(task=dict(type='AmpOptimWrapper'))", "for mixed precision give model.precision='bf16'"),
        ("import sys; sys.exit(3)", "mine.py: ends the process with sys.exit(3)"),
    ],
)
def test_parts_that_cannot_be(train, more, words):
    assert words in train(more)


def test_the_backend_of_an_absent_package(train, monkeypatch):
    import builtins

    import_ = builtins.__import__

    def without(name, *arguments, **options):
        if name == "tensorboard":
            raise ImportError(name)
        return import_(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    line = train("visualizer = dict(vis_backends=[dict(type='TensorboardVisBackend')])")
    assert "vis_backends[0]: TensorboardVisBackend needs tensorboard, not installed: pip install 'metaloss[ten" in line
    line = train("", "loggers=tensorboard")
    assert (
        line == "loggers: TensorboardVisBackend needs tensorboard, not installed: pip install 'metaloss[tensorboard]'"
    )


def test_a_logger_that_is_none(train):
    assert "loggers='tensorbord': no 'tensorbord' (did you mean 'tensorboard'?)" in train("", "loggers=tensorbord")


def test_folders_above_the_work_dir_are_not_left(train):
    assert "max_epochs=0" in train("", "train_cfg.max_epochs=0", work_dir="new/and/deep")


def test_work_dirs_that_cannot_be_written(train, tmp_path):
    (tmp_path / "file").write_text("")
    assert train(work_dir="file").endswith("file: is a file; give a folder")
    assert f"{tmp_path / 'file'} is a file; give a folder" in train(work_dir="file/below")
    line = train(work_dir="x" * 300)
    assert line.startswith(f"--work-dir {str(tmp_path)[:40]}")
    assert line.endswith("...: cannot be written (File name too long); give another folder")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody can write into")
def test_a_folder_that_nobody_can_write_into():
    with pytest.raises(ConfigError, match=r"^--out /proc/mine: cannot be written \(.*\); give another folder$"):
        check_folder(Path("/proc/mine"), "--out")


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept").write_text("")
    for folder in (tmp_path / "new" / "and" / "deep", tmp_path / "full"):
        check_folder(folder, "--out")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["full", "kept"]


def test_outputs_that_cannot_be_written(refused, scenes, weights, tmp_path):
    long = tmp_path / ("x" * 300)
    for command, option in (("fuse", "--weights"), ("weights", "--weights")):
        line = refused(command, scenes / "ir", scenes / "vi", option, weights, "--out", long)
        assert line.endswith("...: cannot be written (File name too long); give another folder")
    assert "is a file; give a folder" in refused(
        "fuse", scenes / "ir", scenes / "vi", "--weights", weights, "--out", weights
    )


def test_labels_without_a_single_class(refused, scenes, tmp_path):
    for file in (scenes / "label").iterdir():
        Image.fromarray(np.full((32, 40), 255, np.uint8)).save(file)
    (scenes / "classes.txt").write_text("background\nperson\nsign\ncar\n")
    config = tmp_path / "mine.py"
    folders = f"dict(_delete_=True, type='metaloss.PairedDataset', root={str(scenes)!r})"
    config.write_text(f"{CONFIG}train_dataloader = dict(dataset={folders})\n")
    line = refused("train", config, "--work-dir", tmp_path / "work")
    assert line == (
        f"{scenes / 'label'}: no pixel of its 6 labels is of a class, all are the ignored id 255: give the labels, or "
        "ignore= the id that stands for no class"
    )
    assert not (tmp_path / "work").exists()


def normed(*layers):
    return metaloss.ModuleTask(nn.Sequential(*layers), nn.functional.cross_entropy)


POOLED = (nn.AdaptiveAvgPool2d(1), nn.Conv2d(1, 4, 1), nn.BatchNorm2d(4), nn.Upsample(size=(32, 32)))


@pytest.mark.parametrize(
    ("length", "batch_size", "world_size", "refuses"),
    [(4, 2, 2, True), (4, 2, 1, False), (3, 2, 1, True), (8, 2, 2, False), (5, 4, 1, True), (8, 1, 1, True)],
)
def test_a_batch_of_one_value_per_channel(length, batch_size, world_size, refuses):
    """What one scene in a step means to batch norm, before the first step is done."""
    scenes = SyntheticScenes(length, size=(32, 32))
    episodes = Episodes(
        dataset=scenes, batch_size=batch_size, meta_steps=1, fusion_crop=(16, 16), rank=0, world_size=world_size
    )
    parts = {"fusion": metaloss.build_fusion("refusion"), "loss": metaloss.LearnableFusionLoss()}
    model = MetaLossModel(**parts, task=normed(*POOLED))
    if not refuses:
        check_smallest_batch(model, episodes)
        return
    with pytest.raises(
        ConfigError, match="leave steps of one scene, and batch norm in the task sees one value"
    ) as caught:
        check_smallest_batch(model, episodes)
    assert ("on 2 processes" in str(caught.value)) == (world_size == 2)
    wide = MetaLossModel(**parts, task=normed(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)))
    check_smallest_batch(wide, episodes)  # one scene is enough where it has many pixels
