"""A meta-gradient leaves everything as it was, and draws what the forward passes draw."""

import copy

import pytest
import torch
from torch import nn
from toys import BatchNormNet, DropoutNet, PlainNet, TinyTask, held, learner, loss_of, problem, same, scenes

from metaloss.hypergradient import Auto, finite_difference, forward, reverse

METHODS = {"forward": forward, "reverse": reverse, "finite_difference": finite_difference, "auto": Auto()}


def noisy_loss():
    loss = loss_of()
    loss.generator.net = nn.Sequential(nn.BatchNorm2d(2), loss.generator.net, nn.Dropout(0.1))
    return loss


class CountingNet(BatchNormNet):
    """Keeps a buffer that it assigns anew at each forward pass, and one that is None at first."""

    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("last", None)

    def forward(self, *sources):
        self.count = self.count + 1
        fused = super().forward(*sources)
        self.last = fused.detach()
        return fused


@pytest.mark.parametrize("view", [None, (6, 6)])
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("method", METHODS)
def test_nothing_changes(method, steps, view):
    fusion, task = BatchNormNet(), TinyTask()
    fusion.norm.eval()
    fusion.embed[1].requires_grad_(False)
    task.drop.eval()
    asked = problem(fusion, task=task, loss=noisy_loss(), steps=steps)
    fusion.head.weight.grad = torch.full_like(fusion.head.weight, 7)
    asked.loss.generator.net[1][0].weight.grad = torch.full_like(asked.loss.generator.net[1][0].weight, 5)
    modules = (asked.fusion, asked.task, asked.loss)
    kept = [param.grad for module in modules for param in module.parameters()]
    before = held(*modules)
    METHODS[method](asked, scenes(1, view=view), scenes(2))
    assert same(held(*modules), before)
    assert all(
        param.grad is grad for param, grad in zip([p for m in modules for p in m.parameters()], kept, strict=True)
    )


@pytest.mark.parametrize("method", METHODS)
def test_buffers_assigned_anew_are_put_back(method):
    asked = problem(CountingNet(), steps=2)
    METHODS[method](asked, scenes(1), scenes(2))
    assert asked.fusion.count.item() == 0
    assert asked.fusion.last is None


@pytest.mark.parametrize("method", METHODS)
def test_nothing_changes_when_the_task_fails(method):
    class Failing(TinyTask):
        def forward(self, fused, target):
            if fused.requires_grad:
                raise LookupError("no label")
            return super().forward(fused, target)

    asked = problem(DropoutNet(), task=Failing())
    before = held(asked.fusion, asked.task, asked.loss)
    with pytest.raises(LookupError):
        METHODS[method](asked, scenes(1), scenes(2))
    assert same(held(asked.fusion, asked.task, asked.loss), before)


@pytest.mark.parametrize("view", [None, (6, 6)])
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("method", METHODS)
def test_random_numbers_drawn_are_those_of_the_forward_passes(method, steps, view):
    asked = problem(DropoutNet(), loss=noisy_loss(), steps=steps)
    meta_train, meta_test = scenes(1, view=view), scenes(2)
    fusion, loss, task = copy.deepcopy((asked.fusion, asked.loss, asked.task))
    torch.manual_seed(5)
    for _ in range(steps):
        fused = fusion(*meta_train.loss_view)
        loss(fused, meta_train.loss_view)
        task(fused if view is None else fusion(*meta_train.sources), meta_train.target)
    task(fusion(*meta_test.sources), meta_test.target)
    expected = torch.get_rng_state()
    torch.manual_seed(5)
    METHODS[method](asked, meta_train, meta_test)
    assert torch.equal(torch.get_rng_state(), expected)


@pytest.mark.parametrize("method", METHODS)
def test_works_without_ambient_gradient_and_leaves_no_graph(method):
    asked = problem()
    with torch.no_grad():
        result = METHODS[method](asked, scenes(1), scenes(2))
        assert not torch.is_grad_enabled()
    expected = METHODS[method](asked, scenes(1), scenes(2))
    assert set(result.gradients) == set(expected.gradients)
    assert not any(value.requires_grad for value in expected.gradients.values())


def test_meta_step_changes_only_the_loss():
    subject = learner(BatchNormNet(), loss=noisy_loss())
    batches = scenes(1, dtype=torch.float32), scenes(2, dtype=torch.float32)
    subject.meta_step(*batches)
    subject.fusion_step(batches[0])
    subject.fusion.head.weight.grad = torch.ones_like(subject.fusion.head.weight)
    subject.loss.generator.net[1][0].weight.grad = torch.full((4, 2, 3, 3), 5.0)
    optimizers = subject.optimizer("fusion"), subject.optimizer("task")
    networks = held(subject.fusion, subject.task, optimizers=optimizers)
    _, grads, _, buffers, flags = held(subject.loss)[0]
    params = copy.deepcopy(dict(subject.loss.named_parameters()))
    subject.meta_step(*batches)
    assert same(held(subject.fusion, subject.task, optimizers=optimizers), networks)
    assert same(held(subject.loss)[0][1], grads)
    assert same(held(subject.loss)[0][3:], [buffers, flags])
    assert all(not torch.equal(param, params[name]) for name, param in subject.loss.named_parameters())


def test_fusion_step_changes_only_fusion_and_task():
    subject = learner(PlainNet())
    batch = scenes(1, dtype=torch.float32, view=(6, 6))
    for module in (subject.fusion, subject.task, subject.loss):
        for param in module.parameters():
            param.grad = torch.full_like(param, 3)
    before = held(subject.loss, optimizers=[subject.optimizer("loss")])
    fusion, task = copy.deepcopy((subject.fusion, subject.task))
    subject.fusion_step(batch)
    assert same(held(subject.loss, optimizers=[subject.optimizer("loss")]), before)
    for module, old in ((subject.fusion, fusion), (subject.task, task)):
        assert not any(torch.equal(a, b) for a, b in zip(module.parameters(), old.parameters(), strict=True))
        assert all(torch.equal(param.grad, torch.full_like(param, 3)) for param in module.parameters())
