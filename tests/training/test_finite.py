"""Nothing trains on values that are not finite, and no file is written with them."""

import math

import pytest
import torch
from toys import BatchNormNet, Scenes, TinyTask, held, learner, same, scenes

import metaloss
from metaloss.training.checkpoint import content_of
from metaloss.training.epoch import Means

NAN = float("nan")


class Broken(TinyTask):
    """Its loss is not a number for scenes with a pixel of exactly 1 in their first source's image."""

    def forward(self, fused, target):
        return super().forward(fused, target) * (NAN if target.amax() == 2 and target[0, 0, 0] == 2 else 1.0)


def given(*, broken_image=False, broken_target=False):
    batch = scenes(3, dtype=torch.float32)
    if broken_image:
        batch.sources[1][1, 0, 2, 3] = NAN
    batch.target[0, 0, 0] = 2 if broken_target else 0
    return metaloss.FusionBatch(sources=batch.sources, target=batch.target, names=("00037.png", "00041.png"))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"broken_image": True}, r"\(loss nan.*the images of 00041.png are not finite: look at these files"),
        ({"broken_target": True}, r"\(task_loss nan\); the scenes were 00037.png, 00041.png: lower the learning rates"),
    ],
)
def test_a_fusion_step_that_is_not_finite_is_refused_or_left_out(broken, reason):
    subject = learner(BatchNormNet(), task=Broken())
    subject.fusion_step(given())
    modules = subject.fusion, subject.loss, subject.task
    optimizers = [optimizer for optimizer in subject.optimizers.values() if optimizer is not None]
    before = held(*modules, optimizers=optimizers)
    with pytest.raises(metaloss.MetaGradientError, match=reason):
        subject.fusion_step(given(**broken))
    assert same(held(*modules, optimizers=optimizers), before)
    subject.on_nonfinite = "skip"
    subject.fusion_step(given(**broken))
    assert same(held(*modules, optimizers=optimizers), before)
    assert subject.skipped == 1
    subject.fusion_step(given())
    assert subject.skipped == 1


def test_inner_updates_that_step_f_and_t_are_looked_at_too():
    subject = learner(task=Broken(), separate_fusion_learning=False, on_nonfinite="skip")
    before = held(subject.fusion, subject.loss, subject.task)
    subject.meta_step(given(broken_target=True), given(broken_target=True))
    assert same(held(subject.fusion, subject.loss, subject.task), before)
    assert subject.skipped >= 1


class OneBroken(Scenes):
    def __getitem__(self, index):
        item = super().__getitem__(index)
        if index == 2:
            item["sources"] = (item["sources"][0] * NAN, item["sources"][1])
        return item


def test_fit_stops_or_leaves_them_out(tmp_path):
    subject = learner(BatchNormNet())
    with pytest.raises(metaloss.MetaGradientError, match="the images of scene2 are not finite"):
        subject.fit(OneBroken(4), epochs=2, meta_steps=0, batch_size=1, work_dir=tmp_path / "a")
    assert not list((tmp_path / "a").glob("*.pth"))
    subject = learner(BatchNormNet(), on_nonfinite="skip")
    log = subject.fit(OneBroken(4), epochs=2, meta_steps=0, batch_size=1, work_dir=tmp_path / "b")
    assert subject.skipped == 2
    assert all(math.isfinite(value) for epoch in log for value in epoch.values())
    assert all(value.isfinite().all() for value in (*subject.fusion.state_dict().values(),))
    assert [path.name for path in sorted((tmp_path / "b").iterdir())] == ["epoch_1.pth", "epoch_2.pth"]


def test_weights_that_are_not_finite_are_never_written(tmp_path):
    subject = learner()
    with torch.no_grad():
        subject.fusion.head.weight[0, 0, 0, 0] = float("inf")
    with pytest.raises(metaloss.MetaGradientError, match=r"'head.weight' of the fusion network is not finite"):
        content_of(subject)
    assert list(tmp_path.iterdir()) == []


def test_means_are_over_what_is_finite():
    means = Means()
    for value, count in ((1.0, 1), (NAN, 5), (4.0, 2), (float("inf"), 1)):
        means.add({"a": torch.tensor(value), "b": torch.tensor(NAN)}, count)
    found = means.read()
    assert found["a"] == 3.0
    assert math.isnan(found["b"])
