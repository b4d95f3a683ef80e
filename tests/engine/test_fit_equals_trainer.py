"""The library's ``fit`` and the trainer are one training: equal to the bit, with all that changes over the epochs."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

pytest.importorskip("mmengine")

from mmengine.hooks import Hook

import metaloss
from metaloss.data import SyntheticScenes
from metaloss.engine import MetaLossModel, MetaLossRunner, load_config
from metaloss.runtime import files
from metaloss.training.folder import newest

LOOP = {"meta_steps": 3, "warmup_epochs": 1, "fusion_crop": (16, 12), "task_size": (24, 24), "exchange": True}
SCHEDULED = ("fusion", "loss", "task")
HALVED = {"type": "ExponentialLR", "gamma": 0.5}
SETTINGS = {"inner_lr": 0.1, "accumulate": 2, "inner_steps": 2}


class Net(nn.Module):
    """Batch norm and dropout: statistics that move, and random numbers."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = (
            nn.Conv2d(2, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.Conv2d(6, 1, 3, padding=1),
        )
        self.drop = nn.Dropout2d(0.2)

    def forward(self, *sources):
        return self.last(self.drop(F.silu(self.norm(self.first(torch.cat(sources, 1)))))).sigmoid()


class RampedLoss(metaloss.LearnableFusionLoss):
    """Its gradient term comes in over the epochs."""

    def at_epoch(self, epoch, epochs):
        self.alpha, self.told = epoch / 4, (epoch, epochs)


def parts():
    torch.manual_seed(5)
    task = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1))
    generator = metaloss.Concatenated(nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.Softmax(1)))
    return {"fusion": Net(), "loss": RampedLoss(generator), "task": metaloss.ModuleTask(task, F.cross_entropy)}


class Start(Hook):
    """Keeps the random state in which the first step begins."""

    priority = "LOWEST"

    def before_train(self, runner):
        torch.rand(3)  # what is drawn before a training is no part of it

    def before_train_epoch(self, runner):
        if runner.epoch == 0:
            self.random, self.seed = files.random_state(), runner.seed


def by_trainer(folder, epochs, scenes, scheduled=SCHEDULED, resume=False, end=None, rate=HALVED, **loop):
    start, model = Start(), MetaLossModel(**parts(), **SETTINGS)
    config = load_config("tdfusion/segformer_synthetic")
    runner = MetaLossRunner(
        model=model,
        work_dir=str(folder),
        train_dataloader={"dataset": scenes, "batch_size": 2},
        train_cfg={"type": "MetaLossTrainLoop", "max_epochs": epochs, **LOOP, **loop},
        default_hooks={"param_scheduler": config.default_hooks.param_scheduler},
        optim_wrapper=config.optim_wrapper,
        param_scheduler={
            name: [{**rate, "end": end or epochs}] if name in scheduled else [] for name in ("fusion", "loss", "task")
        },
        load_from=str(newest(folder)) if resume is True else None,
        resume=bool(resume),
        custom_hooks=[start],
        randomness={"seed": 11},
        default_scope="metaloss",
        experiment_name=f"{folder.parent.name}_{folder.name}_{epochs}_{resume}",
    )
    runner.train()
    return model, start, {name: wrapper.optimizer for name, wrapper in runner.optim_wrapper.items()}


def by_fit(epochs, scenes, optimizers, start=None, scheduled=SCHEDULED, **settings):
    networks = parts()
    own = {
        f"{name}_optimizer": type(optimizer)(networks[name].parameters(), **optimizer.defaults)
        for name, optimizer in optimizers.items()
    }
    schedulers = [torch.optim.lr_scheduler.ExponentialLR(own[f"{name}_optimizer"], gamma=0.5) for name in scheduled]
    learner = metaloss.MetaLearner(**networks, **own, schedulers=schedulers, **SETTINGS)
    if start is not None:
        learner.progress["seed"] = start.seed
        files.restore_random_state(start.random)
    learner.fit(scenes, epochs=epochs, batch_size=2, **LOOP, **settings)
    return learner


def assert_equal(learner, model):
    for name in ("fusion", "loss", "task"):
        mine, theirs = (getattr(each, name).state_dict() for each in (learner, model))
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine), name


@pytest.mark.parametrize("schedule", ["phases", "interleaved"])
def test_three_epochs_are_equal_to_the_bit(schedule, tmp_path):
    scenes = SyntheticScenes(7, size=(32, 40))
    model, start, optimizers = by_trainer(tmp_path / "trainer", 3, scenes, schedule=schedule)
    learner = by_fit(3, scenes, copy.deepcopy(optimizers), start, schedule=schedule)
    assert_equal(learner, model)
    untouched = parts()
    for name in ("fusion", "loss", "task"):
        before, after = untouched[name].state_dict(), getattr(learner, name).state_dict()
        assert not all(torch.equal(before[key], after[key]) for key in before), name
    assert learner.skipped == 0
    assert learner.loss.told == model.loss.told == (2, 3)
    assert learner.progress["log"] == model.learner.progress["log"]


def test_each_goes_on_from_the_others_checkpoint(tmp_path):
    scenes = SyntheticScenes(7, size=(32, 40))
    whole, start, optimizers = by_trainer(tmp_path / "whole", 3, scenes, scheduled=())
    by_trainer(tmp_path / "trainer", 2, scenes, scheduled=())
    resumed = by_fit(3, scenes, optimizers, scheduled=(), work_dir=tmp_path / "trainer", resume=True)
    assert_equal(resumed, whole)
    assert resumed.progress["log"] == whole.learner.progress["log"]
    by_fit(2, scenes, optimizers, start, scheduled=(), work_dir=tmp_path / "fit")
    assert_equal(by_trainer(tmp_path / "fit", 3, scenes, scheduled=(), resume=True)[0], whole)


def test_a_longer_run_goes_on_with_its_own_rates(tmp_path):
    scenes = SyntheticScenes(4, size=(32, 40))
    whole, _, expected = by_trainer(tmp_path / "whole", 3, scenes)
    by_trainer(tmp_path / "part", 1, scenes, end=2)  # of two epochs, and stopped after one
    again, _, found = by_trainer(tmp_path / "part", 3, scenes, resume=True)
    assert_equal(again.learner, whole)
    for name in SCHEDULED:
        assert found[name].param_groups[0]["lr"] == expected[name].param_groups[0]["lr"], name


@pytest.mark.parametrize(
    "rate",
    [{"type": "PolyLR", "power": 2.0}, {"type": "CosineAnnealingLR"}, {"type": "LinearLR", "end_factor": 0.1}],
    ids=lambda rate: rate["type"],
)
def test_a_longer_run_falls_to_its_own_end(tmp_path, rate):
    scenes = SyntheticScenes(4, size=(32, 40))
    options = {"rate": rate, "warmup_epochs": 0, "meta_steps": 2}
    by_trainer(tmp_path / "whole", 4, scenes, **options)
    by_trainer(tmp_path / "part", 1, scenes, end=2, **options)
    by_trainer(tmp_path / "part", 4, scenes, resume=True, **options)
    first, second = (files.load(newest(tmp_path / name))["schedulers"] for name in ("whole", "part"))
    for one, other in zip(first, second, strict=True):
        lengths = one["state"].keys() & {"end", "total_iters", "T_max"}
        assert {name: one["state"][name] for name in lengths} == {name: other["state"][name] for name in lengths}
        assert one["state"]["last_step"] == other["state"]["last_step"] == 3


def test_a_runner_finds_the_newest_whole_checkpoint_by_itself(tmp_path):
    scenes = SyntheticScenes(7, size=(32, 40))
    model, *_ = by_trainer(tmp_path, 2, scenes)
    (tmp_path / "epoch_3.pth").write_bytes(b"torn")
    with pytest.warns(UserWarning, match=r"epoch_3\.pth: .*going on from .*epoch_2\.pth"):
        again, *_ = by_trainer(tmp_path, 2, scenes, resume="newest")
    assert_equal(again.learner, model)
