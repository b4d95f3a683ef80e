"""The inner update in image space against double backward through the image's own path, in float64."""

import dataclasses

import pytest
import torch
from torch import nn
from torch.func import functional_call
from toys import (
    BatchNormNet,
    DropoutNet,
    PlainNet,
    TinyGenerator,
    TinyTask,
    WarpNet,
    held,
    learner,
    loss_of,
    problem,
    relative_error,
    same,
    scenes,
)

import metaloss
from metaloss.hypergradient.image_update import ImageUpdate
from metaloss.inner import adam

TRAIN, TEST = scenes(0), scenes(1)


class DroppedGenerator(TinyGenerator):
    """Draws random numbers itself."""

    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.3)

    def forward(self, *sources):
        return super().forward(*map(self.drop, sources))


def run(module, params, *inputs):
    buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
    return functional_call(module, {**dict(module.named_parameters()), **params, **buffers}, inputs)


def reference(subject, lr, train=TRAIN, test=TEST):
    """The definition, unrolled: one graph from theta_G through every image to the outer loss."""
    torch.manual_seed(3)
    with torch.no_grad():
        seen = run(subject.fusion, {}, *train.sources)
    task = {name: param.detach().requires_grad_() for name, param in subject.task.named_parameters()}
    state = subject.task_state
    for _ in range(subject.steps):
        total = run(subject.task, task, seen, train.target)
        slope = dict(zip(task, torch.autograd.grad(total, list(task.values())), strict=True))
        updated, state = subject.task_rule(task, slope, state)
        task = {name: value.detach().requires_grad_() for name, value in updated.items()}
    with torch.no_grad():
        image = run(subject.fusion, {}, *test.sources)
    image.requires_grad_()
    generator = {
        name: param.detach().requires_grad_() for name, param in subject.loss.named_parameters() if param.requires_grad
    }
    size = image.numel()
    if lr is None:
        total = run(subject.loss, generator, image, test.sources).total
        (s,) = torch.autograd.grad(total, image, create_graph=True)
        outer = run(subject.task, task, image, test.target)
        (wish,) = torch.autograd.grad(outer, image)
        goal = -size * (s * wish).sum()
    else:
        for _ in range(subject.steps):
            total = run(subject.loss, generator, image, test.sources).total
            (s,) = torch.autograd.grad(total, image, create_graph=True)
            image = image - lr * size * s
        goal = outer = run(subject.task, task, image, test.target)
    gradients = dict(zip(generator, torch.autograd.grad(goal, list(generator.values())), strict=True))
    return gradients, outer.detach()


NETWORKS = {"plain": PlainNet, "batch norm": BatchNormNet, "dropout": DropoutNet, "no forward rule": WarpNet}
LOSSES = {
    "fixed gradient term": lambda: loss_of(alpha=0.7),
    "no gradient term": lambda: loss_of(alpha=0),
    "weighted": lambda: loss_of(alpha=0.5, intensity="weighted"),
    "draws": lambda: metaloss.LearnableFusionLoss(DroppedGenerator(), alpha=0.5),
}


@pytest.mark.parametrize("lr", [None, 0.3])
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_exact(network, loss, lr):
    subject = problem(network(), loss=loss())
    expected, outer = reference(subject, lr)
    torch.manual_seed(3)
    found = ImageUpdate(lr)(subject, TRAIN, TEST)
    assert relative_error(found.gradients, expected) < 1e-10
    torch.testing.assert_close(found.outer_loss, outer, rtol=1e-12, atol=0)


@pytest.mark.parametrize("steps", [2, 3])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_several_updates(loss, steps):
    subject = problem(DropoutNet(), loss=loss(), steps=steps, task_rule=adam(0.01))
    expected, outer = reference(subject, 0.1)
    torch.manual_seed(3)
    found = ImageUpdate(0.1)(subject, TRAIN, TEST)
    assert relative_error(found.gradients, expected) < 1e-10
    torch.testing.assert_close(found.outer_loss, outer, rtol=1e-12, atol=0)


def test_the_limit_is_that_of_small_rates():
    subject = problem(loss=loss_of(alpha=0.5), task=TinyTask(dropout=0))
    limit = ImageUpdate()(subject, TRAIN, TEST).gradients
    small = ImageUpdate(1e-6)(subject, TRAIN, TEST).gradients
    assert relative_error({name: value / 1e-6 for name, value in small.items()}, limit) < 1e-3


def test_one_half_of_the_weighted_loss_arrives_at_the_weighted_sum():
    """With alpha 0 and eta 1/2, f^1 = sum_k w_k I_k: the meta-gradient is that of ablation V."""
    loss = loss_of(alpha=0, intensity="weighted").double()
    summed = metaloss.MetaLearner(fusion="weighted_sum", loss=loss, task=TinyTask().double(), inner_lr=1e-9)
    subject = dataclasses.replace(problem(), loss=loss, task=summed.task, task_rule=summed.problem.task_rule)
    torch.manual_seed(0)
    subject.task.eval()
    found = ImageUpdate(0.5)(subject, TRAIN, TEST).gradients
    expected = summed.meta_gradient(TRAIN, TEST).gradients
    assert relative_error({f"{name}": value for name, value in found.items()}, expected) < 1e-6


def test_it_leaves_everything_as_it_was():
    subject = learner(BatchNormNet(), inner_update="image")
    batches = [scenes(seed, dtype=torch.float32) for seed in (0, 1)]
    before = held(subject.fusion, subject.loss, subject.task)
    gradient = subject.meta_gradient(*batches)
    assert same(held(subject.fusion, subject.loss, subject.task), before)
    assert gradient.gradients.keys() == dict(subject.loss.named_parameters()).keys()


@pytest.mark.parametrize("lr", [None, 0.01])
def test_the_fusion_view_is_not_looked_at(lr):
    subject = problem(BatchNormNet(), task=TinyTask(dropout=0))
    views = [scenes(seed, view=(6, 4)) for seed in (0, 1)]
    first = ImageUpdate(lr)(subject, *views)
    second = ImageUpdate(lr)(subject, *(dataclasses.replace(view, fusion_view=None) for view in views))
    assert same(first.gradients, second.gradients)


def test_a_frozen_fusion_network_is_no_obstacle():
    subject = learner(inner_update="image")
    subject.fusion.requires_grad_(False)
    batches = [scenes(seed, dtype=torch.float32) for seed in (0, 1)]
    assert subject.meta_step(*batches)["outer_loss"].isfinite()
    subject.fusion_step(batches[0])


@pytest.mark.parametrize("settings", [{"precision": "bf16"}, {"accumulate": 2}, {"memory": "low"}, {"compile": False}])
def test_with_the_learners_other_settings(settings):
    subject = learner(BatchNormNet(), inner_update="image", image_lr=0.1, inner_steps=2, **settings)
    before = [param.clone() for param in subject.loss.parameters()]
    for seed in range(2):
        subject.meta_step(*(scenes(2 * seed + k, dtype=torch.float32) for k in (0, 1)))
    assert any(not torch.equal(param, old) for param, old in zip(subject.loss.parameters(), before, strict=True))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"inner_update": "pixels"}, r"inner_update='pixels': choose one of \('network', 'image'\)"),
        ({"image_lr": 0.1}, "inner_update='image': give that as well"),
        ({"inner_update": "image", "image_lr": 0}, "image_lr=0: expected a number above 0, or None"),
        ({"inner_update": "image", "image_lr": "fast"}, "image_lr='fast'"),
        ({"inner_update": "image", "hypergradient": "forward"}, "leave it at 'auto'"),
        ({"inner_update": "image", "separate_fusion_learning": False}, "separate_fusion_learning=False"),
        ({"inner_update": "image", "fusion": "weighted_sum"}, "fusion='weighted_sum'"),
    ],
)
def test_settings_that_leave_nothing_to_act_on(settings, reason):
    with pytest.raises(metaloss.ConfigError, match=reason):
        metaloss.MetaLearner(**{"fusion": PlainNet(), "loss": loss_of(), "task": TinyTask(), **settings})


def test_it_is_a_setting_of_the_run(tmp_path):
    from toys import Scenes

    settings = {"epochs": 1, "meta_steps": 1, "work_dir": tmp_path}
    learner(inner_update="image").fit(Scenes(4), **settings)
    with pytest.raises(metaloss.CheckpointError, match="inner_update: image, now network"):
        learner().fit(Scenes(4), **settings, resume=True)
