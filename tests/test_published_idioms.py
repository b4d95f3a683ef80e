"""What published fusion networks do, each in a small stand-in: trained as they are, or refused with the cure."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from faulty import DeformableNet
from torch import nn
from toys import Scenes, learner, problem, relative_error, scenes
from unrolled import by_hand

import metaloss
from metaloss.hypergradient import Auto
from metaloss.testing import check_fusion


class WindowAttention(nn.Module):
    """Attention inside windows, whose shape has to divide the features' (Swin)."""

    def __init__(self, width, window):
        super().__init__()
        self.window, self.qkv, self.out = window, nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.bias = nn.Parameter(0.1 * torch.randn(1, window**2, window**2))

    def forward(self, x):
        b, c, h, w = x.shape
        k = self.window
        windows = x.view(b, c, h // k, k, w // k, k).permute(0, 2, 4, 3, 5, 1).reshape(-1, k * k, c)
        query, key, value = self.qkv(windows).chunk(3, dim=-1)
        attention = (query @ key.mT / c**0.5 + self.bias).softmax(-1)
        mixed = self.out(attention @ value).view(b, h // k, w // k, k, k, c)
        return x + mixed.permute(0, 5, 1, 3, 2, 4).reshape(b, c, h, w)


class SwinNet(nn.Module):
    """Patches of 4 pixels in windows of 7: sizes are multiples of 28."""

    def __init__(self):
        super().__init__()
        self.embed, self.attend = nn.Conv2d(2, 8, 4, stride=4), WindowAttention(8, 7)
        self.back = nn.ConvTranspose2d(8, 1, 4, stride=4)

    def forward(self, ir, vi):
        return self.back(F.gelu(self.attend(self.embed(torch.cat([ir, vi], 1))))).sigmoid()


class VitNet(nn.Module):
    """One position per patch of 14 of a square image of 28, and fused attention."""

    def __init__(self):
        super().__init__()
        self.embed, self.position = nn.Conv2d(2, 8, 14, stride=14), nn.Parameter(0.1 * torch.randn(1, 4, 8))
        self.qkv, self.back = nn.Linear(8, 24), nn.ConvTranspose2d(8, 1, 14, stride=14)

    def forward(self, ir, vi):
        assert ir.shape[-2:] == (28, 28), f"Input height ({ir.shape[-2]}) doesn't match model (28)"
        x = self.embed(torch.cat([ir, vi], 1)).flatten(2).mT + self.position
        query, key, value = self.qkv(x).unsqueeze(1).chunk(3, dim=-1)
        x = x + F.scaled_dot_product_attention(query, key, value).squeeze(1)
        return self.back(x.mT.unflatten(2, (2, 2))).sigmoid()


class MetaConv(nn.Module):
    """A convolution of the MAML idiom: its weights are buffers that need gradients."""

    def __init__(self, *channels):
        super().__init__()
        self.register_buffer("weight", (0.1 * torch.randn(*channels[::-1], 3, 3)).requires_grad_())

    def forward(self, x):
        return F.conv2d(x, self.weight, padding=1)


class MetaFusionLike(nn.Module):
    def __init__(self, conv):
        super().__init__()
        self.first, self.last = conv(2, 4), nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, ir, vi):
        return self.last(self.first(torch.cat([ir, vi], 1)).relu()).sigmoid()


class RgbNet(nn.Module):
    """Takes an RGB image of each sensor and returns one, as IFCNN does."""

    def __init__(self):
        super().__init__()
        self.encode, self.decode = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, a, b):
        return self.decode(torch.maximum(self.encode(a).tanh(), self.encode(b).tanh())).sigmoid()


def encoder_decoder():
    encoder, decoder = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 1, 3, padding=1)
    return encoder, decoder, lambda enc, dec, ir, vi: dec(F.silu(enc(ir) - 0.5 * enc(vi))).sigmoid()


def two_modules():
    encoder, decoder, call = encoder_decoder()
    return metaloss.Adapted((encoder, decoder), call)


def two_named_modules():
    encoder, decoder, call = encoder_decoder()
    return metaloss.Adapted({"enc": encoder, "dec": decoder}, call)


NETWORKS = {
    "two modules": (two_modules, 16),
    "two named modules": (two_named_modules, 16),
    "RGB": (lambda: metaloss.Adapted(RgbNet(), channels=3), 16),
    "Swin windows": (SwinNet, 28),
    "Swin windows, padded": (lambda: metaloss.Adapted(SwinNet(), multiple=28), 24),
    "ViT": (VitNet, 28),
    "ViT, padded": (lambda: metaloss.Adapted(VitNet(), multiple=28, square=True), 24),
}


@pytest.mark.parametrize(("network", "size"), NETWORKS.values(), ids=NETWORKS)
def test_every_parameter_is_trained_with_the_exact_meta_gradient(network, size):
    asked = problem(network())
    batches = scenes(1, size=(size, size)), scenes(2, size=(size, size))
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = Auto()(asked, *batches).gradients
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        assert relative_error(found, by_hand(asked, *batches)) < 1e-10

    trained = network()
    before = {name: param.detach().clone() for name, param in trained.named_parameters()}
    subject = learner(trained)
    subject.fit(Scenes(4, size=(size, size)), epochs=1, meta_steps=1)
    assert [name for name, param in trained.named_parameters() if torch.equal(param, before[name])] == []
    assert subject.fuse(torch.rand(1, 1, 21, 17), torch.rand(1, 1, 21, 17)).shape == (1, 1, 21, 17)
    assert check_fusion(trained, *scenes(size=(size, size), dtype=torch.float32).sources)


def test_meta_parameters_in_buffers_are_named_and_trained_once_they_are_parameters():
    subject = learner(MetaFusionLike(MetaConv))
    with pytest.raises(
        metaloss.ConfigError, match=r"no parameter of MetaFusionLike.*first\.weight .a buffer.*nn.Parameter"
    ):
        subject.fit(Scenes(2), epochs=1, meta_steps=1)
    with pytest.raises(metaloss.ConfigError, match=r"first\.weight .a buffer"):
        check_fusion(MetaFusionLike(MetaConv), *scenes(dtype=torch.float32).sources)
    learner(MetaFusionLike(lambda *channels: nn.Conv2d(*channels, 3, padding=1))).fit(Scenes(2), epochs=1, meta_steps=1)


def test_modules_that_call_closes_over_are_named():
    encoder, decoder, call = encoder_decoder()
    subject = learner(metaloss.Adapted(encoder, lambda enc, ir, vi: call(enc, decoder, ir, vi)))
    with pytest.raises(metaloss.ConfigError, match=r"metaloss.Adapted\(\(first, second\), call=\.\.\.\)"):
        subject.fit(Scenes(2), epochs=1, meta_steps=1)


def test_a_deformable_convolution_is_trained_by_differences():
    pytest.importorskip("torchvision")
    trained = DeformableNet()
    before = trained.deform.weight.detach().clone()
    with pytest.warns(UserWarning, match=r"deform_conv2d.*'finite_difference'"):
        learner(trained).fit(Scenes(2), epochs=1, meta_steps=1)
    assert not torch.equal(trained.deform.weight, before)
