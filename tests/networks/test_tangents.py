"""Tangents that metaloss carries itself are torch's own."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import forward_ad as fwd

from metaloss.networks import LossGenerator, ReFusionNet
from metaloss.networks.tangents import bilinear, layer_norm, sum_of_squares

OPERATORS = {
    "mul": (torch.mul, (2, 5, 4, 3), (2, 5, 4, 3)),
    "bmm": (torch.bmm, (2, 5, 4), (2, 4, 3)),
    "linear": (F.linear, (2, 5, 6, 4), (3, 4)),
    "depthwise": (lambda x, weight: F.conv2d(x, weight, padding=1, groups=4), (2, 4, 5, 6), (4, 1, 3, 3)),
}


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def carried(function, values, tangents) -> tuple[Tensor, Tensor | None]:
    """Value and tangent, without a graph."""
    with torch.no_grad(), fwd.dual_level():
        inputs = [x if dx is None else fwd.make_dual(x, dx) for x, dx in zip(values, tangents, strict=True)]
        return tuple(fwd.unpack_dual(function(*inputs)))


@pytest.mark.parametrize("moving", [(True, True), (True, False), (False, True)], ids=["both", "first", "second"])
@pytest.mark.parametrize("name", OPERATORS)
def test_bilinear_operators_carry_both_parts_of_a_tangent(name, moving) -> None:
    operator, *shapes = OPERATORS[name]
    values = [random(*shape, seed=seed) for seed, shape in enumerate(shapes)]
    tangents = [
        random(*shape, seed=2 + seed) if moves else None
        for seed, (shape, moves) in enumerate(zip(shapes, moving, strict=True))
    ]
    before = [value.clone() for value in values]
    value, tangent = carried(lambda a, b: bilinear(operator, a, b), values, tangents)
    plain, expected = carried(operator, values, tangents)
    torch.testing.assert_close(value, plain, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(tangent, expected, rtol=1e-12, atol=1e-12)
    assert all(torch.equal(*pair) for pair in zip(values, before, strict=True))


def test_a_bilinear_operator_without_tangents_carries_none() -> None:
    value, tangent = carried(lambda a, b: bilinear(torch.mul, a, b), [random(3), random(3, seed=1)], [None, None])
    assert tangent is None
    assert torch.equal(value, random(3) * random(3, seed=1))


@pytest.mark.parametrize("missing", [None, 0, 1, 2], ids=["all", "input fixed", "weight fixed", "bias fixed"])
def test_layer_norm_carries_the_tangents_of_input_weight_and_bias(missing) -> None:
    values = [random(2, 5, 4), random(4, seed=1), random(4, seed=2)]
    tangents = [None if index == missing else random(*x.shape, seed=3 + index) for index, x in enumerate(values)]
    found = carried(lambda x, weight, bias: layer_norm(x, weight, bias, 1e-5), values, tangents)
    expected = carried(lambda x, weight, bias: F.layer_norm(x, [4], weight, bias, 1e-5), values, tangents)
    for mine, torch_s in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, torch_s, rtol=1e-12, atol=1e-12)


def test_sum_of_squares_carries_twice_the_product() -> None:
    x, dx = random(2, 5, 4), random(2, 5, 4, seed=1)
    value, tangent = carried(sum_of_squares, [x], [dx])
    torch.testing.assert_close(value, x.pow(2).sum(-1), rtol=1e-12, atol=0)
    torch.testing.assert_close(tangent, 2 * (x * dx).sum(-1), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "function", [lambda x: layer_norm(x, *(random(4, seed=s) for s in (1, 2)), 1e-5), sum_of_squares]
)
def test_second_derivatives_are_torch_s_own(function) -> None:
    x = random(3, 4).requires_grad_()
    assert torch.autograd.gradcheck(function, (x,), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(function, (x,))


@pytest.mark.parametrize("make", [ReFusionNet, LossGenerator])
def test_networks_carry_tangents_of_sources_and_weights_under_autocast(make) -> None:
    network = make()
    names, params = zip(*network.named_parameters(), strict=True)
    sources = [random(1, 1, 16, 20, seed=seed).float().sigmoid() for seed in (1, 2)]
    values = [*sources, *(param.detach() for param in params)]
    directions = [0.1 * random(*value.shape, seed=seed).float() for seed, value in enumerate(values)]

    def run(first: Tensor, second: Tensor, *weights: Tensor) -> Tensor:
        return torch.func.functional_call(network, dict(zip(names, weights, strict=True)), (first, second))

    full, expected = carried(run, values, directions)
    with torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False):
        value, tangent = carried(run, values, directions)
    assert float((value.float() - full).norm() / full.norm()) < 0.02
    assert float((tangent.float() - expected).norm() / expected.norm()) < 0.1
