import pytest
import torch
from torch import nn
from toys import USER_NETWORKS, AttentionNet, PlainNet, WarpNet, held, same, scenes

from metaloss.errors import ConfigError, ShapeError
from metaloss.networks import ReFusionNet
from metaloss.testing import check_fusion

SOURCES = scenes(batch=2, size=(16, 16), dtype=torch.float32).sources


@pytest.mark.parametrize("name", USER_NETWORKS)
def test_good_networks_are_left_as_they_are(name):
    network, random = USER_NETWORKS[name](), torch.get_rng_state()
    before = held(network)
    report = check_fusion(network, *SOURCES)
    assert {point.outcome for point in report.points} == {"passed"}
    assert same(before, held(network))
    assert torch.equal(random, torch.get_rng_state())


def test_the_reference_network_with_three_sources():
    report = check_fusion(ReFusionNet(sources=3), *scenes(sources=3, size=(12, 12), dtype=torch.float32).sources)
    assert report.points[-1].name == "the meta-gradient in float64: forward mode and double backward agree"


class Small(PlainNet):
    def forward(self, *sources):
        return super().forward(*sources)[..., 1:, :]


class Channels(PlainNet):
    def forward(self, *sources):
        return super().forward(*sources).expand(-1, 3, -1, -1)


class FirstOnly(PlainNet):
    def forward(self, *sources):
        return super().forward(sources[0], torch.zeros_like(sources[1]))


class Unstable(PlainNet):
    def forward(self, *sources):
        return nn.functional.dropout(super().forward(*sources), 0.1, training=True)


class Coupled(PlainNet):
    def forward(self, *sources):
        return super().forward(*sources) * sources[0].mean()


class Brittle(PlainNet):
    def forward(self, *sources):
        if sources[0].shape[-1] % 2 or sources[0].shape[-2] != sources[0].shape[-1]:
            raise ValueError("square and even, please")
        return super().forward(*sources)


class Stuck(PlainNet):
    def forward(self, *sources):
        return super().forward(*sources).detach()


class OnceOnly(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return x * 1.0

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, slope):
        return slope


class NoWay(PlainNet):
    def forward(self, *sources):
        return OnceOnly.apply(super().forward(*sources))


class WrongTangent(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return x * 2.0

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, slope):
        return slope * 2.0

    @staticmethod
    def jvp(ctx, tangent):
        return tangent * torch.linspace(1, 2, tangent.shape[-1], dtype=tangent.dtype)


class Wrong(PlainNet):
    def forward(self, *sources):
        return WrongTangent.apply(super().forward(*sources)) * 0.5


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (Small, "fused sources of .16, 16. into an image of .15, 16."),
        (Channels, "from sources"),
        (FirstOnly, "does not depend on source 1"),
        (Unstable, "changes the random numbers"),
        (Coupled, "depends on the other scenes of its batch"),
        (Brittle, "odd sizes, padded where need be: ValueError: square and even, please"),
        (Stuck, "an exact method works: MetaGradientError: zero"),
        (NoWay, "OnceOnly has no forward-mode rule.*has no second derivative"),
        (Wrong, "they differ by .*: a derivative of the network is wrong"),
    ],
)
def test_every_broken_point_is_named(network, reason):
    with pytest.raises(ConfigError, match=f"(?s){network.__name__} fails .*\n- [^\n]*{reason}"):
        check_fusion(network(), *SOURCES)


def test_ranges_and_missing_methods_are_noted():
    class Open(PlainNet):
        def forward(self, *sources):
            return 9 * super().forward(*sources) - 5

    assert "noted: range: the fused image reaches from" in str(check_fusion(Open(), *SOURCES))
    report = str(check_fusion(WarpNet(), *SOURCES))
    assert "noted: hypergradient='forward': " in report
    assert "grid_sampl" in report


def test_fused_attention_gets_its_remedy():
    with pytest.raises(ConfigError, match=r"scaled_dot_product.*SDPBackend.MATH"):
        check_fusion(AttentionNet(math=False), *SOURCES)


def test_what_cannot_be_checked():
    with pytest.raises(ShapeError, match="at least two"):
        check_fusion(PlainNet(), SOURCES[0])
