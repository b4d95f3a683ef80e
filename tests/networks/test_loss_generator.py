import pytest
import torch
import torch.autograd.forward_ad as fwd
from torch.func import functional_call

import metaloss
from metaloss.networks import LossGenerator


def sources(count=2, size=(12, 12), dtype=torch.float32):
    return tuple(torch.rand(2, 1, *size, dtype=dtype) for _ in range(count))


def test_parameter_count():
    assert sum(param.numel() for param in LossGenerator().parameters()) == 44_529


@pytest.mark.parametrize("size", [(12, 12), (31, 33)])
@pytest.mark.parametrize("count", [2, 3])
def test_weights_sum_to_one_over_the_sources(count, size):
    weights = LossGenerator(count)(*sources(count, size))
    assert weights.shape == (2, count, *size)
    assert weights.min() > 0
    torch.testing.assert_close(weights.sum(1), torch.ones(2, *size))


def test_two_outputs():
    proposed = LossGenerator(outputs=("intensity", "gradient"))(*sources())
    assert list(proposed) == ["intensity", "gradient"]
    assert not torch.allclose(proposed["intensity"], proposed["gradient"])
    for weights in proposed.values():
        torch.testing.assert_close(weights.sum(1), torch.ones(2, 12, 12))


def test_every_parameter_is_used():
    generator = LossGenerator(3)
    generator(*sources(3))[:, 0].square().sum().backward()
    assert all(param.grad.abs().max() > 0 for param in generator.parameters())


@pytest.mark.slow
def test_forward_mode_and_double_backward():
    generator, inputs = LossGenerator().double(), sources(dtype=torch.float64)
    params = {name: param.detach() for name, param in generator.named_parameters()}
    direction = {name: torch.randn_like(param) / 250 for name, param in params.items()}

    def slopes(size, create_graph=False):
        moved = {name: (param + size * direction[name]).requires_grad_() for name, param in params.items()}
        out = functional_call(generator, moved, inputs)
        values = torch.autograd.grad(out.square().sum(), list(moved.values()), create_graph=create_graph)
        return out.detach(), values, list(moved.values())

    size = 1e-6
    above, below = slopes(size), slopes(-size)
    with fwd.dual_level():
        duals = {name: fwd.make_dual(param, direction[name]) for name, param in params.items()}
        tangent = fwd.unpack_dual(functional_call(generator, duals, inputs)).tangent
    difference = (above[0] - below[0]) / (2 * size)
    assert (tangent - difference).norm() < 1e-4 * difference.norm()
    _, values, moved = slopes(0.0, create_graph=True)
    along = sum((value * tensor).sum() for value, tensor in zip(values, direction.values(), strict=True))
    products = torch.cat([p.flatten() for p in torch.autograd.grad(along, moved)])
    differences = torch.cat([(a - b).flatten() / (2 * size) for a, b in zip(above[1], below[1], strict=True)])
    assert (products - differences).norm() < 1e-4 * differences.norm()


def test_what_it_refuses():
    with pytest.raises(metaloss.ConfigError, match="at least two"):
        LossGenerator(1)
    for outputs in ((), ("colour",), ("intensity", "intensity")):
        with pytest.raises(metaloss.ConfigError, match="choose from"):
            LossGenerator(outputs=outputs)
    for level in (1, "no"):
        with pytest.raises(metaloss.ConfigError, match=f"level={level!r}.*: expected True or False"):
            LossGenerator(level=level)
    with pytest.raises(metaloss.ShapeError, match="built for 2 sources and given 3"):
        LossGenerator()(*sources(3))


def test_levelled_weights_prefer_no_source_as_a_whole():
    torch.manual_seed(0)
    plain = LossGenerator(outputs=("intensity", "gradient"))
    levelled = LossGenerator(outputs=("intensity", "gradient"), level=True)
    levelled.load_state_dict(plain.state_dict())
    bright, dark = torch.rand(1, 1, 24, 32), 0.1 * torch.rand(1, 1, 24, 32)
    with torch.no_grad():
        before, after = plain(bright, dark), levelled(bright, dark)
    for name in ("intensity", "gradient"):
        odds = after[name].logit()
        assert float(odds.mean((-2, -1)).abs().max()) < 1e-4
        expected = before[name].logit() - before[name].logit().mean((-2, -1), keepdim=True)
        torch.testing.assert_close(odds, expected, rtol=1e-4, atol=1e-4)
        assert float(before[name].logit().mean((-2, -1)).abs().max()) > 1e-2
    assert levelled.arguments["level"] is True
