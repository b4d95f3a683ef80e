import math

import pytest
import torch
from torch import nn
from toys import BatchNormNet, CheckpointedNet, PlainNet, learner, loss_of, same, scenes

import metaloss
from metaloss.hypergradient import MetaGradient
from metaloss.training.checks import check_meta_gradient
from metaloss.training.steps import FusionStep, max_normalised, step_with, weight_statistics


def test_max_normalised_has_a_largest_entry_of_one():
    gradients = {"a": torch.tensor([1.0, -4.0]), "b": torch.tensor([[2.0]])}
    assert same(max_normalised(gradients), {"a": torch.tensor([0.25, -1.0]), "b": torch.tensor([[0.5]])})


def test_step_with_uses_the_given_gradients_and_keeps_its_hands_off_grad():
    module = nn.Linear(2, 1)
    module.weight.grad = kept = torch.full((1, 2), 9.0)
    before = module.weight.detach().clone(), module.bias.detach().clone()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    step_with(optimizer, module, {"weight": torch.tensor([[1.0, 2.0]])})
    torch.testing.assert_close(module.weight.detach(), before[0] - torch.tensor([[0.5, 1.0]]))
    assert torch.equal(module.bias, before[1])
    assert module.weight.grad is kept
    assert module.bias.grad is None


def test_step_with_gives_grad_back_when_the_optimizer_fails():
    module = nn.Linear(2, 1)
    module.weight.grad = kept = torch.ones(1, 2)

    class Failing(torch.optim.SGD):
        def step(self):
            raise LookupError

    with pytest.raises(LookupError):
        step_with(Failing(module.parameters(), lr=1.0), module, {"weight": torch.zeros(1, 2)})
    assert module.weight.grad is kept


@pytest.mark.parametrize("view", [None, (6, 6)])
@pytest.mark.parametrize("network", [PlainNet, BatchNormNet, CheckpointedNet])
def test_fusion_step_takes_plain_gradients(network, view):
    """Eq. 8 and 9 by the usual backward passes."""
    fusion, loss, task = network(), loss_of(), learner().task.eval()
    batch = scenes(1, view=view, dtype=torch.float32)
    step = FusionStep(fusion, loss, task)
    fused = step.fusion_gradients(batch)
    found = dict(step.gradients)
    total = loss(fusion(*batch.loss_view), batch.loss_view).total
    total.backward()
    assert found.keys() == dict(fusion.named_parameters()).keys()
    for name, param in fusion.named_parameters():
        torch.testing.assert_close(found[name], param.grad)
    assert not fused.requires_grad
    torch.testing.assert_close(fused, fusion(*batch.sources).detach())
    step.task_gradients(batch, fused)
    loss_of_task = task(fused, batch.target)
    loss_of_task.backward()
    for name, param in task.named_parameters():
        torch.testing.assert_close(step.gradients[name], param.grad)
    torch.testing.assert_close(step.log["task_loss"], loss_of_task.detach())
    torch.testing.assert_close(step.log["loss"], total.detach())


def test_weight_statistics_know_the_original_sources():
    weights = torch.empty(2, 3, 4, 4)
    for b, row in enumerate([(0.5, 0.3, 0.2), (0.2, 0.5, 0.3)]):
        for k, value in enumerate(row):
            weights[b, k] = value
    order = torch.tensor([[0, 1, 2], [2, 0, 1]])
    found = weight_statistics(weights, order)
    assert [round(float(found[f"weight_{k}"]), 6) for k in range(3)] == [0.5, 0.3, 0.2]
    plain = weight_statistics(weights, None)
    assert [round(float(plain[f"weight_{k}"]), 6) for k in range(3)] == [0.35, 0.4, 0.25]
    entropy = -sum(w * math.log(w) for w in (0.5, 0.3, 0.2)) / math.log(3)
    assert float(found["entropy"]) == pytest.approx(entropy, rel=1e-5)


def test_entropy_goes_from_zero_to_one():
    one = torch.zeros(1, 2, 3, 3)
    one[:, 0] = 1
    assert float(weight_statistics(one, None)["entropy"]) == 0
    assert float(weight_statistics(torch.full((1, 2, 3, 3), 0.5), None)["entropy"]) == pytest.approx(1)


@pytest.mark.parametrize("assigned", [False, True])
def test_a_fusion_step_moves_the_generators_own_buffers(assigned):
    """G's running statistics move as in a plain forward pass, in place or assigned anew."""

    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2)
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, *sources):
            if assigned:
                self.seen = self.seen + 1
            else:
                self.seen += 1
            return self.norm(self.conv(torch.cat(sources, 1))).softmax(1)

    subject = learner(loss=metaloss.LearnableFusionLoss(Counting()))
    generator, batch = subject.loss.generator, scenes(1, dtype=torch.float32)
    expected = Counting()
    expected.load_state_dict(generator.state_dict())
    for step in (1, 2):
        subject.fusion_step(batch)
        expected(*batch.sources)
        assert generator.seen == step
        for name, value in expected.norm.named_buffers():
            torch.testing.assert_close(getattr(generator.norm, name), value)
    assert generator.norm.running_mean.abs().max() > 0


def test_meta_gradients_that_are_refused_are_named():
    loss = loss_of()
    names = [name for name, _ in loss.named_parameters()]
    zero = torch.zeros(())

    def check(gradients, *, finite=True):
        return check_meta_gradient(MetaGradient(gradients, zero, zero, zero), loss, finite=finite)

    good = {name: torch.ones_like(param) for name, param in loss.named_parameters()}
    assert check(good) == "useful"
    with pytest.raises(metaloss.MetaGradientError, match=r"reaches generator\.net\.0\.bias of LearnableFusionLoss"):
        check({name: good[name] for name in names if name != "generator.net.0.bias"})
    with pytest.raises(metaloss.MetaGradientError, match=r"of generator\.net\.0\.bias is not finite"):
        check({**good, "generator.net.0.bias": good["generator.net.0.bias"] * float("inf")})
    broken = {**good, "generator.net.0.bias": good["generator.net.0.bias"] * float("nan")}
    assert check(broken, finite=False) == "not finite"
    nothing = {name: value * 0 for name, value in good.items()}
    assert check(nothing) == "zero"
    assert check({**nothing, names[0]: good[names[0]]}) == "useful"
