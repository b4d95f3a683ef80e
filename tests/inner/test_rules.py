import pytest
import torch
from torch import nn

import metaloss
from metaloss.inner import RULES, adam, build_rule, clipped, sgd, sgd_momentum

PARAMS, GRADS = {"a": torch.tensor([1.0, 2.0])}, {"a": torch.tensor([10.0, -10.0])}
TORCH = {
    "sgd": lambda params: torch.optim.SGD(params, lr=0.1),
    "sgd_momentum": lambda params: torch.optim.SGD(params, lr=0.1, momentum=0.8),
    "adam": lambda params: torch.optim.Adam(params, lr=0.1, betas=(0.8, 0.95), eps=1e-6),
}
OURS = {
    "sgd": sgd(0.1),
    "sgd_momentum": sgd_momentum(0.1, momentum=0.8),
    "adam": adam(0.1, betas=(0.8, 0.95), eps=1e-6),
}


def slopes(count, seed=0):
    """Gradients of a step, one of which vanishes."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(3, generator=generator, dtype=torch.float64) * torch.tensor([1, 1, 0]) for _ in range(count)]


def stepped(optimizer, param, grads):
    for grad in grads:
        param.grad = grad.clone()
        optimizer.step()
    return param.detach().clone()


def test_sgd_is_equation_4():
    updated, state = sgd(0.1)(PARAMS, GRADS, None)
    torch.testing.assert_close(updated["a"], torch.tensor([0.0, 3.0]))
    assert state is None
    assert PARAMS["a"].tolist() == [1, 2]


@pytest.mark.parametrize("name", OURS)
def test_rules_go_where_torch_goes(name):
    param = nn.Parameter(torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64))
    params, state = {"a": param.detach().clone()}, None
    for grad in slopes(5):
        params, state = OURS[name](params, {"a": grad}, state)
    expected = stepped(TORCH[name]([param]), param, slopes(5))
    torch.testing.assert_close(params["a"], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", OURS)
def test_rules_go_on_from_an_optimizer(name):
    """Its rate, settings and moments; the optimizer itself does not move."""
    module = nn.Linear(3, 1, bias=False, dtype=torch.float64)
    optimizer = TORCH[name]([module.weight])
    stepped(optimizer, module.weight, [grad[None] for grad in slopes(3)])
    held = {"weight": module.weight.detach().clone()}
    rule, state = build_rule(name, "optimizer", from_state=True, module=module, optimizer=optimizer)
    for grad in slopes(2, seed=1):
        held, state = rule(held, {"weight": grad[None]}, state)
    expected = stepped(optimizer, module.weight, [grad[None] for grad in slopes(2, seed=1)])
    torch.testing.assert_close(held["weight"], expected, rtol=1e-12, atol=1e-12)


def test_every_parameter_group_has_its_own_current_rate():
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    module[1].bias.requires_grad_(False)
    optimizer = torch.optim.SGD(
        [{"params": module[0].parameters(), "lr": 0.1}, {"params": [module[1].weight], "lr": 0.5}]
    )
    optimizer.param_groups[0]["lr"] = 0.2
    rule, _ = build_rule("sgd", "optimizer", module=module, optimizer=optimizer)
    params = {name: param.detach() for name, param in module.named_parameters() if param.requires_grad}
    updated, _ = rule(params, {name: torch.ones_like(value) for name, value in params.items()}, None)
    moved = {name: float((params[name] - updated[name]).mean()) for name in params}
    assert moved == pytest.approx({"0.weight": 0.2, "0.bias": 0.2, "1.weight": 0.5})


def test_what_the_optimizer_does_not_step_does_not_move():
    module = nn.Linear(2, 2)
    optimizer = torch.optim.SGD([module.weight], lr=0.3)
    rule, _ = build_rule("sgd", "optimizer", module=module, optimizer=optimizer)
    params = {name: param.detach() for name, param in module.named_parameters()}
    updated, _ = rule(params, {name: torch.ones_like(value) for name, value in params.items()}, None)
    assert torch.equal(updated["bias"], params["bias"])
    assert not torch.equal(updated["weight"], params["weight"])


@pytest.mark.parametrize(("length", "factor"), [(0.5, 1.0), (2.0, 0.5), (0.0, 1.0)])
def test_clipping(length, factor):
    grads = {"a": torch.tensor([length * 0.6]), "b": torch.tensor([length * 0.8])}
    updated, _ = clipped(sgd(1.0), 1.0)({name: torch.zeros(1) for name in grads}, grads, None)
    for name, grad in grads.items():
        torch.testing.assert_close(updated[name], -factor * grad)


@pytest.mark.parametrize("rule", [adam(0.1), adam(0.1, eps=1e-3), sgd_momentum(0.1), clipped(sgd(0.1), 0.5)])
@pytest.mark.parametrize("steps", [1, 3])
def test_derivatives(rule, steps):
    """Through several steps, against finite differences."""

    def run(start, grads):
        params, state = {"a": start}, None
        for number in range(steps):
            params, state = rule(params, {"a": grads * (1 + number) + 0.1 * params["a"]}, state)
        return params["a"]

    start = torch.tensor([1.0, -2.0, 0.3], dtype=torch.float64, requires_grad=True)
    grads = torch.tensor([0.4, -0.1, 0.7], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(run, (start, grads))


@pytest.mark.parametrize("state", [None, "moments"])
def test_a_vanishing_gradient_has_a_finite_derivative(state):
    """d/dg g / (|g| + eps) is 1 / eps at zero; the square root alone would make it NaN."""
    rule, zero = adam(1.0, eps=1e-2), torch.zeros(2, dtype=torch.float64, requires_grad=True)
    held = {"a": torch.zeros(2, dtype=torch.float64)}
    before = None if state is None else {"step": {"a": 1}, "exp_avg": held, "exp_avg_sq": held}
    updated, _ = rule({"a": torch.zeros(2, dtype=torch.float64)}, {"a": zero}, before)
    (slope,) = torch.autograd.grad(updated["a"].sum(), zero)
    expected = -100.0 if state is None else -100.0 * 0.1 / (1 - 0.9**2)
    torch.testing.assert_close(slope, torch.full_like(slope, expected))


def test_rules_by_name_and_by_callable():
    for name in RULES:
        updated, _ = build_rule(name, 0.1)[0](PARAMS, GRADS, None)
        assert updated["a"][0] < 1 < 2 < updated["a"][1]

    def mine(params, grads, state):
        return params, state

    assert build_rule(mine, 0.1) == (mine, None)


def test_what_it_refuses():
    with pytest.raises(metaloss.ConfigError, match=r"inner_rule='sdg'.*did you mean 'sgd'"):
        build_rule("sdg", 0.1)
    for rate in (-1e-4, float("nan")):
        with pytest.raises(metaloss.ConfigError, match="zero or more"):
            build_rule("sgd", rate)
    for norm in (0, -1.0):
        with pytest.raises(metaloss.ConfigError, match="inner_clip"):
            build_rule("sgd", 0.1, clip=norm)
    with pytest.raises(metaloss.ConfigError, match="a callable brings its own state"):
        build_rule(lambda params, grads, state: (params, state), 0.1, from_state=True)


# in torch 2.4 it is no Adam
ADAMW = "has no weight_decay" if issubclass(torch.optim.AdamW, torch.optim.Adam) else "the optimizer is AdamW"


@pytest.mark.parametrize(
    ("rule", "build", "message"),
    [
        ("adam", lambda p: torch.optim.SGD(p, lr=0.1), "goes on from the state of Adam, and the optimizer is SGD"),
        ("adam", lambda p: torch.optim.AdamW(p, lr=0.1), ADAMW),
        ("adam", lambda p: torch.optim.Adam(p, amsgrad=True), "has no amsgrad"),
        ("sgd_momentum", lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True), "has no nesterov"),
    ],
)
def test_optimizers_it_cannot_go_on_from(rule, build, message):
    module = nn.Linear(2, 2)
    with pytest.raises(metaloss.ConfigError, match=message):
        build_rule(rule, 0.1, from_state=True, module=module, optimizer=build(list(module.parameters())))
