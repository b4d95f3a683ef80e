"""The meta-gradient, in float64, against double backward, an independent unrolling, differences and algebra."""

import copy
import math

import pytest
import torch
from torch import nn
from toys import (
    USER_NETWORKS,
    PlainNet,
    SiameseNet,
    TinyTask,
    half_frozen,
    held,
    loss_of,
    problem,
    relative_error,
    same,
    scenes,
    tie_modules,
    tie_weights,
)
from unrolled import by_hand, learning, outer_loss

import metaloss
from metaloss.hypergradient import MetaProblem, forward, reverse
from metaloss.inner import sgd
from metaloss.networks import LossGenerator, ReFusionNet

EXACT = {"forward": forward, "reverse": reverse}


def adam_like(lr):
    """A rule with state that depends on the gradient nonlinearly; smooth at zero."""

    def rule(params, grads, state):
        state = state or {"step": 0, "mean": dict.fromkeys(grads, 0.0), "square": dict.fromkeys(grads, 0.0)}
        step = state["step"] + 1
        mean = {name: 0.9 * state["mean"][name] + 0.1 * grad for name, grad in grads.items()}
        square = {name: 0.99 * state["square"][name] + 0.01 * grad**2 for name, grad in grads.items()}
        updated = {
            name: param
            - lr * (mean[name] / (1 - 0.9**step)) / (square[name] / (1 - 0.99**step) + 1e-4).sqrt()
            - 0.01 * param**2
            for name, param in params.items()
        }
        return updated, {"step": step, "mean": mean, "square": square}

    return rule


def compute(method, *arguments):
    torch.manual_seed(3)
    return EXACT[method](*arguments)


def check_difference(problem, meta_train, meta_test, gradients, tolerance=1e-4, size=1e-5):
    """A central difference of the outer loss along the gradient's own direction is the gradient's norm."""
    start = learning(problem.loss)
    norm = math.sqrt(sum(float(value.square().sum()) for value in gradients.values()))
    assert norm > 1e-7, "the test problem must have an effect to measure"
    ends = [
        outer_loss(
            problem,
            meta_train,
            meta_test,
            {name: value + sign * size / norm * gradients[name] for name, value in start.items()},
            create_graph=False,
        )
        for sign in (1, -1)
    ]
    assert float((ends[0] - ends[1]) / (2 * size)) == pytest.approx(norm, rel=tolerance)


@pytest.mark.parametrize("name", USER_NETWORKS)
def test_user_networks_agree_with_double_backward_and_differences(name):
    asked = problem(USER_NETWORKS[name]())
    batches = scenes(1), scenes(2)
    results = {method: compute(method, asked, *batches).gradients for method in EXACT}
    assert relative_error(results["forward"], results["reverse"]) < 1e-10
    assert relative_error(results["reverse"], by_hand(asked, *batches)) < 1e-10
    check_difference(asked, *batches, results["forward"])


@pytest.mark.parametrize("name", USER_NETWORKS)
def test_two_inner_steps_through_user_networks(name):
    asked = problem(USER_NETWORKS[name](), steps=2)
    batches = scenes(1), scenes(2)
    results = {method: compute(method, asked, *batches).gradients for method in EXACT}
    assert relative_error(results["forward"], results["reverse"]) < 1e-10
    assert relative_error(results["reverse"], by_hand(asked, *batches)) < 1e-10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("intensity", "gradient"), [("weighted", "per_axis"), ("squared_weight", "magnitude"), ("weighted", "learned")]
)
def test_reference_networks_agree(intensity, gradient):
    generator = LossGenerator(outputs=("intensity", "gradient") if gradient == "learned" else ("intensity",))
    loss = metaloss.LearnableFusionLoss(generator, intensity=intensity, gradient=gradient, alpha=0.5)
    asked = problem(ReFusionNet(), loss=loss, lr=5.0)
    batches = scenes(1), scenes(2)
    results = {method: compute(method, asked, *batches).gradients for method in EXACT}
    assert relative_error(results["forward"], results["reverse"]) < 1e-10
    check_difference(asked, *batches, results["forward"])


@pytest.mark.parametrize("view", [None, (6, 5)])
@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("rule", [sgd(0.5), adam_like(0.1)], ids=["sgd", "adam_like"])
@pytest.mark.parametrize("method", EXACT)
def test_unrolled_by_hand(method, rule, steps, view):
    asked = problem(rule=rule, steps=steps)
    batches = scenes(1, view=view), scenes(2)
    result = compute(method, asked, *batches)
    assert relative_error(result.gradients, by_hand(asked, *batches)) < 1e-10
    expected = outer_loss(asked, *batches, learning(asked.loss), create_graph=False)
    assert result.outer_loss.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("rule", [sgd(0.5), adam_like(0.1)], ids=["sgd", "adam_like"])
def test_differences_over_three_steps_with_the_task_frozen(rule):
    asked = problem(rule=rule, task_rule=sgd(0.0), steps=3)
    batches = scenes(1, view=(6, 7)), scenes(2)
    check_difference(asked, *batches, compute("forward", asked, *batches).gradients)


@pytest.mark.parametrize("steps", [1, 2])
def test_frozen_parameters_of_the_network(steps):
    asked = problem(half_frozen(), steps=steps)
    batches = scenes(1), scenes(2)
    expected = by_hand(asked, *batches)
    for method in EXACT:
        assert relative_error(compute(method, asked, *batches).gradients, expected) < 1e-10


@pytest.mark.parametrize("tie", [tie_modules, tie_weights])
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("method", EXACT)
def test_tied_parameters_equal_one_layer_used_twice(method, steps, tie):
    once = SiameseNet()
    tied = tie(copy.deepcopy(once))
    batches = scenes(1), scenes(2)
    task, loss = TinyTask(), loss_of()
    expected = by_hand(problem(once, task=task, loss=loss, steps=steps), *batches)
    asked = problem(tied, task=task, loss=loss, steps=steps)
    before = held(tied)
    assert relative_error(compute(method, asked, *batches).gradients, expected) < 1e-10
    assert same(held(tied), before)


@pytest.mark.parametrize("method", EXACT)
def test_frozen_parameters_of_the_loss_get_no_gradient(method):
    loss = loss_of()
    loss.generator.net[0].weight.requires_grad_(False)
    asked = problem(loss=loss)
    batches = scenes(1), scenes(2)
    result = compute(method, asked, *batches).gradients
    assert set(result) == {"generator.net.0.bias", "generator.net.2.weight"}
    assert relative_error(result, by_hand(asked, *batches)) < 1e-10


@pytest.mark.parametrize("method", EXACT)
def test_three_sources(method):
    asked = problem(PlainNet(3), loss=loss_of(3))
    batches = scenes(1, sources=3), scenes(2, sources=3)
    assert relative_error(compute(method, asked, *batches).gradients, by_hand(asked, *batches)) < 1e-10


@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize("steps", [1, 2])
def test_a_loss_with_batch_norm_and_dropout(method, steps):
    loss = loss_of()
    loss.generator.net = nn.Sequential(nn.BatchNorm2d(2), loss.generator.net, nn.Dropout(0.3))
    asked = problem(loss=loss, steps=steps)
    batches = scenes(1), scenes(2)
    assert relative_error(compute(method, asked, *batches).gradients, by_hand(asked, *batches)) < 1e-10


@pytest.mark.parametrize("method", EXACT)
def test_a_network_in_evaluation_mode_uses_its_running_statistics(method):
    network = USER_NETWORKS["batch_norm"]()
    network.norm.running_mean.fill_(0.3)
    asked = problem(network.eval())
    batches = scenes(1), scenes(2)
    assert relative_error(compute(method, asked, *batches).gradients, by_hand(asked, *batches)) < 1e-10


class Level(nn.Module):
    """Fuses to one grey level, whatever the sources."""

    def __init__(self):
        super().__init__()
        self.level = nn.Parameter(torch.tensor(0.7))

    def forward(self, a, b):
        return self.level.expand_as(a)


class OneWeight(nn.Module):
    def __init__(self):
        super().__init__()
        self.logit = nn.Parameter(torch.tensor(0.4))

    def forward(self, a, b):
        weight = self.logit.sigmoid()
        return torch.cat([weight.expand_as(a), (1 - weight).expand_as(b)], 1)


class Wanted(nn.Module):
    """A task that wants the fused image to be one grey level."""

    def __init__(self):
        super().__init__()
        self.level = nn.Parameter(torch.tensor(0.25), requires_grad=False)

    def forward(self, fused, target):
        return (fused - self.level).square().mean()


@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize("method", EXACT)
def test_closed_form(method, steps):
    """With L_f = w (t - a)^2 + (1 - w) (t - b)^2, t_k+1 = (1 - 2 eta) t_k + 2 eta (w a + (1 - w) b)."""
    eta, a, b = 0.1, 0.9, 0.2
    constant = metaloss.FusionBatch((torch.full((1, 1, 4, 4), a).double(), torch.full((1, 1, 4, 4), b).double()))
    asked = MetaProblem(
        fusion=Level().double(),
        loss=metaloss.LearnableFusionLoss(OneWeight(), alpha=0.0).double(),
        task=Wanted().double(),
        fusion_rule=sgd(eta),
        task_rule=sgd(eta),
        steps=steps,
    )
    result = EXACT[method](asked, constant, constant)
    weight = asked.loss.generator.logit.sigmoid().item()
    level, wanted = asked.fusion.level.item(), asked.task.level.item()
    a, b = (source.flatten()[0].item() for source in constant.sources)
    goal, slope = weight * a + (1 - weight) * b, 0.0
    for _ in range(steps):
        level = (1 - 2 * eta) * level + 2 * eta * goal
        slope = (1 - 2 * eta) * slope + 2 * eta * (a - b)
    assert result.outer_loss.item() == pytest.approx((level - wanted) ** 2, rel=1e-12)
    expected = 2 * (level - wanted) * slope * weight * (1 - weight)
    assert result.gradients["generator.logit"].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("method", EXACT)
def test_the_losses_on_the_way(method):
    asked = problem(task=TinyTask(dropout=0.0))
    batch = scenes(1)
    result = EXACT[method](asked, batch, scenes(2))
    fused = asked.fusion(*batch.sources)
    assert result.inner_loss.item() == pytest.approx(asked.loss(fused, batch.sources).total.item(), rel=1e-12)
    assert result.task_inner_loss.item() == pytest.approx(asked.task(fused, batch.target).item(), rel=1e-12)
    for value in (result.inner_loss, result.task_inner_loss, result.outer_loss):
        assert value.shape == ()
        assert not value.requires_grad
