"""Exact methods x inner rules x K x networks, in float64, against an unrolling by hand."""

import copy

import pytest
import torch
from toys import (
    BatchNormNet,
    DropoutNet,
    PlainNet,
    SiameseNet,
    TinyTask,
    half_frozen,
    learner,
    loss_of,
    problem,
    relative_error,
    scenes,
    tie_modules,
    tie_weights,
)
from unrolled import by_hand

from metaloss.hypergradient import finite_difference, forward, reverse
from metaloss.inner import adam, clipped, sgd, sgd_momentum

EXACT = {"forward": forward, "reverse": reverse}
RULES = {
    "sgd": sgd(0.5),
    "sgd_momentum": sgd_momentum(0.3, momentum=0.8),
    "adam": adam(0.02),
    "clipped": clipped(sgd(0.5), 0.02),
    "clipped_adam": clipped(adam(0.02, eps=1e-3), 0.02),
    "groups": lambda params, grads, state: sgd({name: 0.1 * (1 + len(name)) for name in params})(params, grads, state),
}
NETWORKS = {
    "frozen": half_frozen,
    "tied_modules": lambda: tie_modules(SiameseNet()),
    "tied_weights": lambda: tie_weights(SiameseNet()),
    "batch_norm": BatchNormNet,
    "dropout": DropoutNet,
}


def compute(method, *arguments):
    torch.manual_seed(3)
    return method(*arguments).gradients


def untied(network):
    """functional_call loses tied parameters: by hand, one layer is used twice instead."""
    if not hasattr(network, "second"):
        return network
    once = copy.deepcopy(network)
    del once.second
    return once


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("rule", RULES)
def test_exact(rule, network, steps):
    """The fusion loss sees another view than the task."""
    fusion, task, loss = NETWORKS[network](), TinyTask(), loss_of()
    settings = {"task": task, "loss": loss, "rule": RULES[rule], "steps": steps}
    batches = scenes(1, view=(6, 5)), scenes(2)
    expected = by_hand(problem(untied(fusion), **settings), *batches)
    for method in EXACT.values():
        assert relative_error(compute(method, problem(fusion, **settings), *batches), expected) < 1e-10


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("steps", [1, 2])
def test_finite_difference_is_close(rule, steps):
    asked = problem(DropoutNet(), rule=RULES[rule], steps=steps)
    batches = scenes(1), scenes(2)
    assert relative_error(compute(finite_difference, asked, *batches), compute(forward, asked, *batches)) < 1e-5


@pytest.mark.parametrize("rule", ["adam", "sgd_momentum"])
@pytest.mark.parametrize("steps", [1, 3])
def test_from_the_optimizers_state(rule, steps):
    """The learner starts its rules from the optimizers' moments, and leaves those as they are."""
    fusion, task, loss = PlainNet().double(), TinyTask().double(), loss_of().double()
    build = torch.optim.Adam if rule == "adam" else torch.optim.SGD
    optimizers = {
        "fusion_optimizer": build(
            [{"params": fusion.embed.parameters(), "lr": 0.02}, {"params": fusion.head.parameters()}], lr=0.01
        ),
        "task_optimizer": build(task.parameters(), lr=0.05),
    }
    for optimizer in optimizers.values():
        for group in optimizer.param_groups:
            group["momentum"] = 0.7
    subject = learner(
        fusion, loss=loss, task=task, inner_rule=rule, inner_lr="optimizer", inner_state="optimizer",
        inner_steps=steps, **optimizers,
    )  # fmt: skip
    batches = scenes(1), scenes(2)
    for seed in (3, 4):
        subject.fusion_step(scenes(seed))
    before = copy.deepcopy([optimizer.state_dict() for optimizer in optimizers.values()])
    asked = subject.problem
    assert asked.fusion_state is not None
    torch.manual_seed(3)
    result = subject.meta_gradient(*batches).gradients
    assert relative_error(result, by_hand(asked, *batches)) < 1e-10
    fresh = learner(fusion, loss=loss, task=task, inner_rule=rule, inner_lr=0.02, inner_steps=steps)
    torch.manual_seed(3)
    assert relative_error(fresh.meta_gradient(*batches).gradients, result) > 1e-2
    after = [optimizer.state_dict() for optimizer in optimizers.values()]
    assert str(before) == str(after)


def test_the_inner_rate_follows_the_scheduler():
    subject = learner(inner_lr="optimizer")
    batches = scenes(1, dtype=torch.float32), scenes(2, dtype=torch.float32)
    gradients = []
    for rate in (0.5, 0.05):
        subject.optimizer("fusion").param_groups[0]["lr"] = rate
        torch.manual_seed(0)
        gradients.append(subject.meta_gradient(*batches).gradients)
    sizes = [sum(float(value.norm()) for value in gradient.values()) for gradient in gradients]
    assert sizes[1] < 0.2 * sizes[0]
