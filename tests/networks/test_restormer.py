import pytest
import torch
import torch.autograd.forward_ad as fwd
import torch.nn.functional as F

from metaloss.networks import RestormerBlock
from metaloss.networks.restormer import channel_attention


def published(block, x):
    """The block as its paper writes it: heads split out, q and k normalised at full resolution."""

    def norm(layer, x):
        flat = x.flatten(2).mT
        mean, variance = flat.mean(-1, keepdim=True), flat.var(-1, keepdim=True, unbiased=False)
        return ((flat - mean) / (variance + 1e-5).sqrt() * layer.weight + layer.bias).mT.view_as(x)

    def conv(weight, x, groups=1):
        return F.conv2d(x, weight, padding=weight.shape[-1] // 2, groups=groups)

    def attention(part, x):
        heads = len(part.temperature)
        qkv = conv(part.qkv_depthwise.weight, conv(part.qkv.weight, x), groups=3 * x.shape[1])
        q, k, v = (t.view(len(x), heads, -1, x[0, 0].numel()) for t in qkv.chunk(3, 1))
        q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
        mixed = (q @ k.transpose(-2, -1) * part.temperature).softmax(-1) @ v
        return conv(part.projection.weight, mixed.reshape(x.shape))

    def feed_forward(part, x):
        hidden = conv(part.expand.weight, x)
        a, b = conv(part.depthwise.weight, hidden, groups=hidden.shape[1]).chunk(2, 1)
        return conv(part.projection.weight, F.gelu(a) * b)

    x = x + attention(block.attention, norm(block.attention_norm, x))
    return x + feed_forward(block.feed_forward, norm(block.feed_forward_norm, x))


def random_block(channels, heads, expansion, dtype):
    block = RestormerBlock(channels, heads, expansion).to(dtype)
    for name, param in block.named_parameters():
        if "norm" in name or "temperature" in name:
            param.data += 0.3 * torch.randn_like(param)
    return block


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize(("channels", "heads", "expansion"), [(16, 8, 2), (32, 8, 2), (12, 3, 1)])
@pytest.mark.parametrize("size", [(16, 16), (31, 33), (1, 7)])
def test_equals_the_published_block(size, channels, heads, expansion, dtype, tolerance):
    block = random_block(channels, heads, expansion, dtype)
    x = torch.randn(2, channels, *size, dtype=dtype)
    torch.testing.assert_close(block(x), published(block, x), rtol=tolerance, atol=tolerance)


def test_gradients_equal_the_published_block():
    block = random_block(16, 8, 2, torch.float64)
    x = torch.randn(2, 16, 6, 5, dtype=torch.float64)
    results = [
        torch.autograd.grad(run(x).square().sum(), list(block.parameters()))
        for run in (block, lambda x: published(block, x))
    ]
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-10)


@pytest.mark.slow
def test_all_derivatives():
    block = random_block(4, 2, 1, torch.float64)
    x = torch.randn(1, 4, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(block, x, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(block, x, check_fwd_over_rev=True)


def test_blank_features_have_small_finite_derivatives():
    """The norms of q and k are zero there; the published division has slopes of 1e12."""
    q, k, v = (torch.zeros(1, 4, 3, 3, dtype=torch.float64, requires_grad=True) for _ in range(3))
    key = torch.randn_like(k).requires_grad_()
    temperature, projection = torch.ones(2, 1, 1).double(), torch.randn(4, 4, 1, 1).double()
    value = torch.randn_like(v).requires_grad_()
    out = channel_attention(q, key, value, temperature, projection)
    (slope,) = torch.autograd.grad(out.square().sum(), q, create_graph=True)
    assert 0 < slope.abs().max() < 100
    assert all(g.isfinite().all() for g in torch.autograd.grad(slope.square().sum(), [q, key, value]))
    with fwd.dual_level():
        dual = channel_attention(fwd.make_dual(q, torch.ones_like(q)), k, v, temperature, projection)
        assert fwd.unpack_dual(dual).tangent.isfinite().all()
