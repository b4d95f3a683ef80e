import pytest
import torch
from faulty import TensorHook
from torch import nn
from toys import USER_NETWORKS, AttentionNet, PlainNet, WarpNet, held, needs_grid_sample_twice, same, scenes

import metaloss
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


@pytest.mark.slow
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
        if sources[0].shape[-1] != 16 and sources[0].shape[0] == 2:
            raise ValueError("16 wide, please")
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


class Buffers(PlainNet):
    """The habit of networks for meta-learning by hand: weights as buffers."""

    def __init__(self):
        super().__init__()
        self.register_buffer("gain", torch.ones((), requires_grad=True))

    def features(self, *sources):
        return self.gain * super().features(*sources)


class Dead(PlainNet):
    def forward(self, *sources):
        return torch.relu(super().forward(*sources) - 2)


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (Small, "fused sources of .16, 16. into an image of .15, 16."),
        (Channels, "from sources"),
        (FirstOnly, "does not depend on source 1"),
        (Unstable, "changes the random numbers"),
        (Coupled, "depends on the other scenes of its batch"),
        (Brittle, "odd sizes, padded where need be: ValueError: 16 wide, please"),
        (Stuck, "an exact method works: zero: the fused image does not depend"),
        (NoWay, "OnceOnly has no forward-mode rule.*has no second derivative"),
        (Wrong, "the forward derivative of Wrong differs from its training gradient by"),
        (TensorHook, r"the forward derivative of TensorHook differs .*register_hook"),
        (Buffers, r"1 tensor needs a gradient but is no parameter of Buffers.*gain .a buffer."),
        (Dead, "the fused image is 0 everywhere"),
    ],
)
def test_every_broken_point_is_named(network, reason):
    with pytest.raises(ConfigError, match=f"(?s){network.__name__} fails .*\n- [^\n]*{reason}"):
        check_fusion(network(), *SOURCES)


class Shared(PlainNet):
    """Encodes both sources with the same layers."""

    def forward(self, *sources):
        return (super().forward(*sources) + super().forward(*sources[::-1])) / 2


class Residual(nn.Module):
    """Begins as the mean, and learns to tell the sources apart."""

    def __init__(self):
        super().__init__()
        self.change = nn.Conv2d(2, 1, 3, padding=1)
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)

    def forward(self, ir, vi):
        return (ir + vi) / 2 + self.change(torch.cat((ir, vi), 1))


def test_a_network_that_cannot_tell_its_sources_apart_is_noted():
    network = Shared()
    before = held(network)
    assert "noted: sources 0 and 1 exchanged: the same image" in str(check_fusion(network, *SOURCES))
    assert same(before, held(network))
    assert "exchanged" not in str(check_fusion(Residual(), *SOURCES))


class Fixed(PlainNet):
    """Takes no other weights than it began with; its copies are itself, and it holds whole numbers."""

    def __init__(self):
        super().__init__()
        self.count = nn.Parameter(torch.arange(3), requires_grad=False)
        self.begun = {name: value.detach().clone() for name, value in self.named_parameters()}

    def __deepcopy__(self, memo):
        return self

    def forward(self, *sources):
        if not all(torch.equal(value, self.begun[name]) for name, value in self.named_parameters()):
            raise ValueError("other weights")
        return super().forward(*sources)


def test_other_weights_are_tried_without_a_trace():
    network = Fixed()
    with pytest.raises(ConfigError, match="an exact method works: ValueError: other weights"):
        check_fusion(network, *SOURCES)
    assert all(torch.equal(value, network.begun[name]) for name, value in network.named_parameters())


@needs_grid_sample_twice
def test_ranges_and_missing_methods_are_noted():
    class Open(PlainNet):
        def forward(self, *sources):
            return 9 * super().forward(*sources) - 5

    assert "noted: range: the fused image reaches from" in str(check_fusion(Open(), *SOURCES))
    report = str(check_fusion(WarpNet(), *SOURCES))
    assert "exchanged" not in report
    assert "noted: hypergradient='forward': " in report
    assert "grid_sampl" in report


def test_fused_attention():
    assert {point.outcome for point in check_fusion(AttentionNet(math=False), *SOURCES).points} == {"passed"}


class NoForward(nn.Module):
    pass


@pytest.mark.parametrize(
    ("network", "hint"),
    [
        (nn.Conv2d(2, 1, 3, padding=1), r"metaloss\.Concatenated\(network\)"),
        (NoForward(), r"NoForward has no forward.*metaloss\.Adapted"),
    ],
)
def test_another_calling_form_fails_one_point_with_the_hint(network, hint):
    with pytest.raises(ConfigError, match=f"fails 1 of 1 checks:\n- .*{hint}"):
        check_fusion(network, *SOURCES)


def test_a_frozen_network_and_a_lazy_one():
    with pytest.raises(ConfigError, match="all are frozen"):
        check_fusion(PlainNet().requires_grad_(False), *SOURCES)
    with pytest.raises(ConfigError, match=r"'network\.weight' of Concatenated has no shape yet"):
        check_fusion(metaloss.Concatenated(nn.LazyConv2d(1, 3, padding=1)), *SOURCES)


def test_a_network_that_keeps_activations():
    class Keeping(PlainNet):
        def features(self, *sources):
            self.kept = super().features(*sources)
            return self.kept

    network = Keeping()
    network(*SOURCES)
    kept = network.kept
    check_fusion(network, *SOURCES)
    assert network.kept is kept


def test_a_network_that_computes_in_float32_alone():
    class Single(PlainNet):
        def features(self, *sources):
            x = super().features(*sources)
            return x + torch.zeros(x.shape, dtype=torch.float32).index_add_(0, torch.arange(len(x)), x)

    report = check_fusion(Single(), *SOURCES)
    assert "noted: float64: the network computes in float32 alone" in str(report)
    assert report.points[-1].name.startswith("the meta-gradient in float32")


def test_the_inner_network_is_named():
    with pytest.raises(ConfigError, match=r"^Adapted\(FirstOnly\) fails"):
        check_fusion(metaloss.Adapted(FirstOnly(), lambda network, *sources: network(*sources)), *SOURCES)


def test_what_cannot_be_checked():
    with pytest.raises(ShapeError, match="at least two"):
        check_fusion(PlainNet(), SOURCES[0])
