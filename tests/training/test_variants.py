"""Each ablation of TDFusion's Table 3 does what its equation says, in float64, by hand."""

import copy

import pytest
import torch
from torch import nn
from toys import (
    BatchNormNet,
    DropoutNet,
    PlainNet,
    Scenes,
    TinyGenerator,
    TinyTask,
    held,
    learner,
    loss_of,
    same,
    scenes,
)

import metaloss
from metaloss.networks import LossGenerator, WeightedSum
from metaloss.plugins import load_fusion

RATE = 0.1
NAMES = ("fusion", "loss", "task")


def exact(fusion=None, *, loss=None, task=None, **settings):
    """A learner in float64 whose three optimizers are plain gradient descent."""
    subject = learner(fusion, loss=loss or loss_of(), task=task or TinyTask(dropout=0.0), **settings)
    for name in NAMES:
        getattr(subject, name).double()
        subject.use_optimizer(name, torch.optim.SGD(getattr(subject, name).parameters(), lr=RATE))
    return subject


def parameters(subject):
    return {
        name: {key: param.detach().clone() for key, param in getattr(subject, name).named_parameters()}
        for name in NAMES
    }


def by_hand(total, module):
    found = torch.autograd.grad(total, list(module.parameters()))
    return dict(zip(dict(module.named_parameters()), found, strict=True))


def assert_stepped(subject, name, before, gradient):
    for key, param in getattr(subject, name).named_parameters():
        torch.testing.assert_close(param.detach(), before[name][key] - RATE * gradient[key], rtol=1e-12, atol=1e-15)
    assert any(value.any() for value in gradient.values())


def untouched(subject, name, before):
    return same(parameters(subject)[name], before[name])


def test_i_uniform_weights_are_one_over_n():
    subject = learner(loss=metaloss.LearnableFusionLoss(weights="uniform"))
    assert not subject.learns_loss
    values = subject.fusion_step(scenes(dtype=torch.float32))
    assert values["weight_0"] == values["weight_1"] == 0.5


def test_ii_no_gradient_term():
    subject = exact(loss=loss_of(alpha=0))
    batch, before = scenes(), parameters(subject)
    terms = subject.loss(subject.fusion(*batch.sources), batch.sources)
    expected = by_hand(terms.intensity, subject.fusion)
    subject.fusion_step(batch)
    assert_stepped(subject, "fusion", before, expected)


@pytest.mark.parametrize("view", [None, (6, 5)])
@pytest.mark.parametrize("network", [PlainNet, BatchNormNet])
def test_iii_fusion_follows_both_losses(network, view):
    subject = exact(network(), fusion_sees_task_loss=True)
    batch, before = scenes(view=view), parameters(subject)
    fusion, loss, task = (copy.deepcopy(getattr(subject, name)) for name in NAMES)
    of_loss = loss(fusion(*batch.loss_view), batch.loss_view).total
    of_task = task(fusion(*batch.sources), batch.target)
    fusion_gradient = by_hand(of_loss + of_task, fusion)
    values = subject.fusion_step(batch)
    assert_stepped(subject, "fusion", before, fusion_gradient)
    assert untouched(subject, "loss", before)
    torch.testing.assert_close(values["loss"], of_loss.detach())
    torch.testing.assert_close(values["task_loss"], of_task.detach())
    assert {"intensity", "gradient", "weight_0", "weight_1", "entropy"} <= values.keys()


@pytest.mark.parametrize("view", [None, (6, 5)])
def test_iii_leaves_the_task_network_s_step_and_the_meta_step_as_they_are(view):
    plain, aware = exact(), exact(fusion_sees_task_loss=True)
    for name in NAMES:
        getattr(aware, name).load_state_dict(getattr(plain, name).state_dict())
    first, second = scenes(1, view=view), scenes(2, view=view)
    assert same(aware.meta_gradient(first, second).gradients, plain.meta_gradient(first, second).gradients)
    plain.fusion_step(first)
    aware.fusion_step(first)
    for one, other in zip(aware.task.parameters(), plain.task.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-15)
    assert same(dict(aware.task.named_buffers()), dict(plain.task.named_buffers()))
    assert not same(parameters(aware)["fusion"], parameters(plain)["fusion"])


@pytest.mark.parametrize("view", [None, (6, 5)])
@pytest.mark.parametrize("network", [PlainNet, DropoutNet, BatchNormNet])
def test_iv_the_meta_step_takes_the_inner_updates_gradients(network, view):
    """What each inner rule was given is what the optimizers step with, to the dropout mask."""
    subject = exact(network(), task=TinyTask(), separate_fusion_learning=False)
    train, test, before = scenes(1, view=view), scenes(2, view=view), parameters(subject)
    seen = []

    def recording(params, grads, state):
        seen.append({name: grad.detach().clone() for name, grad in grads.items()})
        return {name: param - 0.5 * grads[name] for name, param in params.items()}, state

    watched = learner(
        copy.deepcopy(subject.fusion), loss=copy.deepcopy(subject.loss), task=copy.deepcopy(subject.task),
        inner_rule=recording,
    )  # fmt: skip
    torch.manual_seed(5)
    meta = watched.meta_gradient(train, test)
    after_watching = torch.get_rng_state()
    by_keys = {frozenset(grads): grads for grads in reversed(seen)}
    torch.manual_seed(5)
    values = subject.meta_step(train, test)
    assert torch.equal(torch.get_rng_state(), after_watching)
    for name in ("fusion", "task"):
        assert_stepped(subject, name, before, by_keys[frozenset(before[name])])
    assert_stepped(subject, "loss", before, meta.gradients)
    torch.testing.assert_close(values["loss"], values["inner_loss"])
    torch.testing.assert_close(values["task_loss"], values["task_inner_loss"])


def test_iv_keeps_running_statistics_and_steps_nothing_when_refused():
    subject = exact(BatchNormNet(), separate_fusion_learning=False)
    subject.meta_step(scenes(1), scenes(2))
    assert subject.fusion.norm.num_batches_tracked == 1
    assert subject.task.norm.num_batches_tracked == 1
    broken = exact(BatchNormNet(), separate_fusion_learning=False, inner_lr=0.0)
    state = held(broken.fusion, broken.loss, broken.task)
    with pytest.raises(metaloss.MetaGradientError, match="is zero"):
        broken.meta_step(scenes(1), scenes(2))
    assert same(held(broken.fusion, broken.loss, broken.task), state)


def test_iv_has_no_fusion_phase():
    subject = learner(separate_fusion_learning=False)
    log = subject.fit(Scenes(6), epochs=2, meta_steps=3, warmup_epochs=1)
    assert "outer_loss" not in log[0]
    assert {"inner_loss", "outer_loss", "loss", "task_loss", "weight_0", "entropy"} < log[1].keys()
    steps = []
    subject.fusion_step = steps.append
    subject.fit(Scenes(6), epochs=3, meta_steps=3, warmup_epochs=1)
    assert steps == []
    with pytest.raises(metaloss.ConfigError, match=r"separate_fusion_learning=False .*meta_steps=0"):
        learner(separate_fusion_learning=False).fit(Scenes(4), epochs=1, meta_steps=0)


@pytest.mark.parametrize("steps", [1, 2])
def test_v_the_generator_follows_the_task_loss_of_the_weighted_sum(steps):
    subject = exact("weighted_sum", inner_lr=(0.0, 0.3), inner_steps=steps)
    train, test, before = scenes(1, view=(6, 5)), scenes(2), parameters(subject)
    generator, task = copy.deepcopy(subject.loss.generator), copy.deepcopy(subject.task)

    def summed(batch):
        weights = generator(*batch.sources)
        return weights[:, :1] * batch.sources[0] + weights[:, 1:] * batch.sources[1]

    for _ in range(steps):
        gradient = by_hand(task(summed(train).detach(), train.target), task)
        with torch.no_grad():
            for name, param in task.named_parameters():
                param -= 0.3 * gradient[name]
    expected = by_hand(task(summed(test), test.target), generator)
    values = subject.meta_step(train, test)
    assert_stepped(subject, "loss", before, {f"generator.{name}": value for name, value in expected.items()})
    assert untouched(subject, "task", before)
    assert list(values) == ["task_inner_loss", "outer_loss"]


def test_v_the_fusion_step_trains_the_task_network_alone():
    subject = exact("weighted_sum")
    batch, before = scenes(view=(6, 5)), parameters(subject)
    task = copy.deepcopy(subject.task)
    total = task(subject.fuse(*batch.sources), batch.target)
    values = subject.fusion_step(batch)
    assert_stepped(subject, "task", before, by_hand(total, task))
    assert untouched(subject, "loss", before)
    torch.testing.assert_close(values["task_loss"], total.detach())
    assert "loss" not in values
    assert not subject.trains("fusion")


def test_v_trains_is_resumed_and_fuses_again(tmp_path):
    def fresh(seed):
        torch.manual_seed(seed)
        loss = metaloss.LearnableFusionLoss(LossGenerator())
        return learner("weighted_sum", loss=loss, inner_lr="optimizer")

    whole = fresh(0)
    log = whole.fit(Scenes(4), epochs=3, meta_steps=2)
    part = fresh(0)
    part.fit(Scenes(4), epochs=2, meta_steps=2, work_dir=tmp_path)
    again = fresh(1)
    assert again.fit(Scenes(4), epochs=3, meta_steps=2, work_dir=tmp_path, resume=True) == log
    assert same(held(again.loss, again.task), held(whole.loss, whole.task))
    network = load_fusion(tmp_path / "epoch_3.pth")
    assert isinstance(network, WeightedSum)
    sources = scenes(dtype=torch.float32).sources
    assert torch.equal(network(*sources), whole.fuse(*sources))


class WithoutGenerator(nn.Module):
    def forward(self, fused, sources):
        return fused.mean()


@pytest.mark.parametrize(
    ("fusion", "settings", "message"),
    [
        ("sum", {}, "fusion='sum': expected a network, or 'weighted_sum'"),
        ("weighted_sum", {"fusion_sees_task_loss": True}, "fusion_sees_task_loss=True .*no fusion network"),
        ("weighted_sum", {"separate_fusion_learning": False}, "separate_fusion_learning=False .*weighted_sum"),
        (None, {"fusion_sees_task_loss": True, "separate_fusion_learning": False}, "the one acts in the fusion phase"),
        (None, {"fusion_sees_task_loss": "yes"}, "fusion_sees_task_loss='yes': expected True or False"),
        (None, {"separate_fusion_learning": 0}, "separate_fusion_learning=0: expected True or False"),
        (None, {"separate_fusion_learning": False, "loss": "uniform"}, "nothing is trained"),
        ("weighted_sum", {"loss": "uniform"}, 'weights="learned"'),
        ("weighted_sum", {"loss": WithoutGenerator()}, "sums the sources with the weights that a loss generator"),
    ],
)  # fmt: skip
def test_combinations_that_make_no_sense(fusion, settings, message):
    if settings.get("loss") == "uniform":
        settings = {**settings, "loss": metaloss.LearnableFusionLoss(weights="uniform")}
    with pytest.raises(metaloss.ConfigError, match=message):
        learner(fusion, **settings)


def test_a_weighted_sum_with_weights_of_its_own_is_an_ordinary_network():
    subject = learner(WeightedSum(TinyGenerator()))
    assert subject.trains("fusion")
    batch = scenes(dtype=torch.float32)
    assert "inner_loss" in subject.meta_step(batch, scenes(2, dtype=torch.float32))
    assert "loss" in subject.fusion_step(batch)
