import pytest
import torch

from benchmarks import straightforward
from metaloss.networks import LossGenerator, ReFusionNet, RestormerBlock

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
NETWORKS = {
    "block": (lambda: RestormerBlock(12, heads=3, expansion=1), 1, 12),
    "fusion": (ReFusionNet, 2, 1),
    "fusion of three": (lambda: ReFusionNet(3), 3, 1),
    "generator": (LossGenerator, 2, 1),
    "generator for four": (lambda: LossGenerator(4), 4, 1),
}


def pair(name, dtype):
    make, count, channels = NETWORKS[name]
    network = make().to(dtype)
    for key, param in network.named_parameters():
        if "norm" in key or "temperature" in key:
            param.data += 0.3 * torch.randn_like(param)
    inputs = [torch.rand(2, channels, 9, 14, dtype=dtype) for _ in range(count)]
    return network, straightforward.like(network), inputs


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", NETWORKS)
def test_gives_the_same_output(name, dtype):
    ours, theirs, inputs = pair(name, dtype)
    torch.testing.assert_close(theirs(*inputs), ours(*inputs), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("name", NETWORKS)
def test_gives_the_same_gradients_by_name(name):
    ours, theirs, inputs = pair(name, torch.float64)
    assert dict(ours.named_parameters()).keys() == dict(theirs.named_parameters()).keys()
    gradients = []
    for network in (ours, theirs):
        params = dict(network.named_parameters())
        values = torch.autograd.grad(network(*inputs).square().sum(), tuple(params.values()))
        gradients.append(dict(zip(params, values, strict=True)))
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-10)


def test_has_second_derivatives():
    block = straightforward.RestormerBlock(4, heads=2, expansion=1).double()
    x = torch.randn(1, 4, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(block, x)


def test_copies_weights_and_shares_none():
    ours, theirs, _ = pair("fusion", torch.float32)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, other)
        assert mine.data_ptr() != other.data_ptr()
