import pytest
import torch
import torch.autograd.forward_ad as fwd
import torch.nn.functional as F
from torch.func import functional_call

import metaloss
from metaloss.networks import ReFusionNet


def sources(count=2, size=(12, 12), dtype=torch.float32):
    return tuple(torch.rand(2, 1, *size, dtype=dtype) for _ in range(count))


def test_parameter_count():
    assert sum(param.numel() for param in ReFusionNet().parameters()) == 59_856


@pytest.mark.parametrize("size", [(31, 33), (1, 1), (40, 8)])
@pytest.mark.parametrize("count", [2, 3])
def test_any_size_and_more_sources(count, size):
    fused = ReFusionNet(count)(*sources(count, size))
    assert fused.shape == (2, 1, *size)
    assert fused.min() > 0
    assert fused.max() < 1


def test_every_parameter_is_used():
    network = ReFusionNet(3)
    network(*sources(3)).square().sum().backward()
    assert all(param.grad.abs().max() > 0 for param in network.parameters())


def test_mixing_by_the_papers_words():
    """Branch k asks with the queries of its neighbour, and is mixed by gates from all."""
    network = ReFusionNet().double()
    mixing = network.mixing
    features = [torch.randn(1, 16, 5, 6, dtype=torch.float64) for _ in range(2)]

    def cosine_attention(q, k, v, branch):
        q, k, v = (t.view(1, 8, 2, -1) for t in (q, k, v))
        scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT * branch.temperature
        return branch.projection((scores.softmax(-1) @ v).view(1, 16, 5, 6))

    a, b = (
        branch.qkv_depthwise(branch.qkv(x)).chunk(3, 1) for branch, x in zip(mixing.branches, features, strict=True)
    )
    first = features[0] + cosine_attention(b[0], a[1], a[2], mixing.branches[0])
    second = features[1] + cosine_attention(a[0], b[1], b[2], mixing.branches[1])
    both = torch.cat([first, second], 1)
    gates = mixing.gate_depthwise(mixing.gate(both)).chunk(2, 1)
    expected = both
    for branch, x, gate in zip(mixing.branches, (first, second), gates, strict=True):
        expected = expected + branch.output(F.gelu(gate) * branch.value_depthwise(branch.value(x)))
    torch.testing.assert_close(mixing(*features), expected, rtol=1e-12, atol=1e-12)


def derivatives(network, inputs):
    """Along one random direction: forward mode and a central difference; and H v both ways."""
    params = {name: param.detach() for name, param in network.named_parameters()}
    direction = {name: torch.randn_like(param) / 250 for name, param in params.items()}

    def value(size):
        moved = {name: (param + size * direction[name]).requires_grad_() for name, param in params.items()}
        out = functional_call(network, moved, inputs)
        return out.detach(), torch.autograd.grad(out.square().sum(), list(moved.values()))

    size = 1e-6
    (above, above_slopes), (below, below_slopes) = value(size), value(-size)
    with fwd.dual_level():
        duals = {name: fwd.make_dual(param, direction[name]) for name, param in params.items()}
        tangent = fwd.unpack_dual(functional_call(network, duals, inputs)).tangent
    leaves = {name: param.clone().requires_grad_() for name, param in params.items()}
    slopes = torch.autograd.grad(
        functional_call(network, leaves, inputs).square().sum(), list(leaves.values()), create_graph=True
    )
    along = sum((slope * direction[name]).sum() for slope, name in zip(slopes, leaves, strict=True))
    products = torch.autograd.grad(along, list(leaves.values()))
    differences = [(a - b) / (2 * size) for a, b in zip(above_slopes, below_slopes, strict=True)]
    return tangent, (above - below) / (2 * size), flat(products), flat(differences)


def flat(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors])


@pytest.mark.slow
def test_forward_mode_and_double_backward():
    tangent, difference, product, differences = derivatives(ReFusionNet().double(), sources(dtype=torch.float64))
    assert (tangent - difference).norm() < 1e-4 * difference.norm()
    assert (product - differences).norm() < 1e-4 * differences.norm()


def test_what_it_refuses():
    network = ReFusionNet()
    with pytest.raises(metaloss.ShapeError, match="built for 2 sources and given 3"):
        network(*sources(3))
    with pytest.raises(metaloss.ShapeError, match=r"grey sources .*\(2, 3, 8, 8\).*luma"):
        network(torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8))
    with pytest.raises(metaloss.ShapeError, match=r"\(2, 1, 8, 9\).*\(2, 1, 8, 8\)"):
        network(torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 9))
    with pytest.raises(metaloss.ConfigError, match="at least two"):
        ReFusionNet(1)
