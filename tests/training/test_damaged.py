"""A file of another form than metaloss writes is damaged: the one before it is taken, and nothing is half loaded."""

import copy

import numpy as np
import pytest
import torch
from toys import DropoutNet, Scenes, held, learner, same

import metaloss
from metaloss.runtime import files


def fresh(network=DropoutNet, **settings):
    torch.manual_seed(0)
    return learner(network(), **settings)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two epochs: its folder's files and its log."""
    folder = tmp_path_factory.mktemp("run")
    log = fresh().fit(Scenes(4), epochs=2, meta_steps=1, work_dir=folder)
    return {path.name: files.load(path) for path in folder.iterdir()}, log


DAMAGE = {
    "no optimizers": lambda c: c.update(optimizers={}),
    "an optimizer is missing": lambda c: c["optimizers"].pop("fusion"),
    "negative epoch": lambda c: c["progress"].update(epoch=-5),
    "an epoch without its log": lambda c: c["progress"].update(epoch=10**9),
    "true epoch": lambda c: c["progress"].update(epoch=True),
    "negative step": lambda c: c["progress"].update(step=-5),
    "log of numbers": lambda c: c["progress"].update(log=[1, 2]),
    "progress is a number": lambda c: c.update(progress=1),
    "means": lambda c: c["progress"].update(means={"epoch": 3}),
    "count without gradients": lambda c: c["pending"].update(count=50),
    "skipped": lambda c: c["pending"].update(skipped=None),
    "metaloss is text": lambda c: c.update(metaloss="x"),
    "settings are a list": lambda c: c["metaloss"].update(settings=[1]),
    "a setting is a tensor": lambda c: c["metaloss"]["settings"].update(seed=torch.ones(2)),
    "network is a list": lambda c: c.update(fusion=[1]),
    "weights are no numbers": lambda c: c["fusion"]["head.weight"].fill_(float("nan")),
    "moments are no numbers": lambda c: c["optimizers"]["fusion"]["state"][0]["exp_avg"].fill_(float("nan")),
    "rate is text": lambda c: c["optimizers"]["fusion"]["param_groups"][0].update(lr="x"),
    "half of the moments": lambda c: c["optimizers"]["fusion"]["state"][0].pop("exp_avg_sq"),
    "no random state": lambda c: c["random"].pop("numpy"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_the_file_before_is_taken(tmp_path, run, damage):
    contents, log = run
    content = copy.deepcopy(contents["epoch_2.pth"])
    damage(content)
    files.save(tmp_path / "epoch_1.pth", contents["epoch_1.pth"])
    torch.save(content, tmp_path / "epoch_2.pth")
    with pytest.warns(UserWarning, match=r"epoch_2\.pth: .*; going on from .*epoch_1\.pth"):
        assert fresh().fit(Scenes(4), epochs=2, meta_steps=1, work_dir=tmp_path, resume=True) == log


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c["fusion"].update({k: v.int() for k, v in c["fusion"].items()}), "holds torch.int32"),
        (lambda c: c["optimizers"]["fusion"]["param_groups"][0].pop("betas"), r"of another kind: \['betas'\]"),
    ],
)
def test_what_is_of_another_kind_is_refused(tmp_path, run, change, reason):
    content = copy.deepcopy(run[0]["epoch_2.pth"])
    change(content)
    torch.save(content, tmp_path / "epoch_2.pth")
    subject = fresh()
    before = held(subject.fusion, subject.loss, subject.task)
    with pytest.raises(metaloss.CheckpointError, match=rf"epoch_2\.pth: .*{reason}"):
        subject.fit(Scenes(4), epochs=2, meta_steps=1, work_dir=tmp_path, resume=True)
    assert same(held(subject.fusion, subject.loss, subject.task), before)


def test_what_callbacks_add_is_written_as_plain_values(tmp_path):
    def score(learner, log):
        log.update(a=np.float64(0.5), b=torch.tensor(2.0), c=np.int64(3), note="fine")

    log = fresh().fit(Scenes(4), epochs=1, meta_steps=0, work_dir=tmp_path, callbacks=[score])
    assert {name: log[0][name] for name in "abc"} == {"a": 0.5, "b": 2.0, "c": 3}
    assert files.load(tmp_path / "epoch_1.pth")["progress"]["log"] == log
    assert fresh().fit(Scenes(4), epochs=1, meta_steps=0, work_dir=tmp_path, resume=True) == log


def test_what_no_file_can_hold_is_named(tmp_path):
    def add(learner, log):
        log["network"] = learner.fusion

    with pytest.raises(metaloss.CheckpointError, match="the epoch's log/network is a DropoutNet"):
        fresh().fit(Scenes(4), epochs=1, meta_steps=0, work_dir=tmp_path, callbacks=[add])


class Masked(DropoutNet):
    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.full((4, 4), -float("inf")).triu(1))


def test_infinite_buffers_are_masks(tmp_path):
    fresh(Masked).fit(Scenes(4), epochs=1, meta_steps=1, work_dir=tmp_path)
    assert (tmp_path / "epoch_1.pth").exists()
    subject = fresh(Masked)
    subject.fusion.mask.fill_(float("nan"))
    with pytest.raises(metaloss.MetaGradientError, match="'mask' of the fusion network"):
        subject.fit(Scenes(4), epochs=1, meta_steps=0, work_dir=tmp_path / "x")


@pytest.mark.parametrize("place", ["file", "file/below", ""])
def test_folders_that_cannot_be(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(metaloss.ConfigError, match="work_dir"):
        fresh().fit(Scenes(4), epochs=1, meta_steps=0, work_dir=tmp_path / place if place else "")
    assert (tmp_path / "file").read_text() == "mine"


def test_the_method_in_use_goes_on(tmp_path):
    subject = fresh()
    subject._meta.method.method, subject._meta.method._began = "reverse", 2
    subject.fit(Scenes(4), epochs=1, meta_steps=3, work_dir=tmp_path)
    again = fresh()
    again.load_state_dict(files.load(tmp_path / "epoch_1.pth"))
    assert again._meta.state() == {"count": 3, "method": "reverse", "began": 2}


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"lr": 1e-3}, r"fusion_optimizer\.lr: 0\.01, now 0\.001"),
        ({"loss": metaloss.LearnableFusionLoss(alpha=0.5)}, r"loss\.alpha: 1\.0, now 0\.5"),
    ],
)
def test_rates_and_the_loss_belong_to_a_run(tmp_path, other, reason):
    def subject(**settings):
        torch.manual_seed(0)
        return learner(DropoutNet(), **{"loss": metaloss.LearnableFusionLoss(), **settings})

    subject().fit(Scenes(4), epochs=1, meta_steps=0, work_dir=tmp_path)
    with pytest.raises(metaloss.CheckpointError, match=reason):
        subject(**other).fit(Scenes(4), epochs=2, meta_steps=0, work_dir=tmp_path, resume=True)
