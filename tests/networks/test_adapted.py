import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import metaloss
from metaloss.colour import luma
from metaloss.networks.calling import name_of


def pair(size=(4, 6), channels=1):
    return torch.rand(2, channels, *size), torch.rand(2, channels, *size)


def test_concatenated_gives_the_network_one_tensor():
    network = nn.Conv2d(3, 1, 1)
    sources = [torch.rand(2, 1, 4, 5) for _ in range(3)]
    assert torch.equal(metaloss.Concatenated(network)(*sources), network(torch.cat(sources, 1)))


def test_adapted_calls_as_told():
    network = nn.ModuleDict({"a": nn.Conv2d(1, 1, 1)})
    adapted = metaloss.Adapted(network, call=lambda net, ir, vi: {"fused": net["a"](ir) - vi}["fused"])
    ir, vi = pair()
    assert torch.equal(adapted(ir, vi), network["a"](ir) - vi)
    assert [name for name, _ in adapted.named_parameters()] == ["network.a.weight", "network.a.bias"]


def modules():
    return nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 1, 3, padding=1)


def by_position(enc, dec, ir, vi):
    return dec(enc(ir) + enc(vi))


def together(networks, ir, vi):
    return networks["dec"](networks["enc"](ir) + networks["enc"](vi))


def sources_first(ir, vi, enc, dec):
    return dec(enc(ir) + enc(vi))


def by_keyword(*sources, dec, enc):
    return dec(sum(map(enc, sources)))


def any_keyword(ir, vi, *, dec, **others):
    return dec(others["enc"](ir) + others["enc"](vi))


@pytest.mark.parametrize("call", [by_position, together, sources_first, by_keyword, any_keyword])
def test_a_mapping_of_modules(call):
    enc, dec = modules()
    adapted = metaloss.Adapted({"dec": dec, "enc": enc}, call)
    ir, vi = pair()
    torch.testing.assert_close(adapted(ir, vi), dec(enc(ir) + enc(vi)))
    assert set(adapted.state_dict()) == {
        f"network.{part}.{name}" for part in ("enc", "dec") for name in ("weight", "bias")
    }


@pytest.mark.parametrize("kind", [tuple, list])
def test_a_sequence_of_modules(kind):
    enc, dec = modules()
    adapted = metaloss.Adapted(kind([enc, dec]), call=by_position)
    ir, vi = pair()
    assert torch.equal(adapted(ir, vi), dec(enc(ir) + enc(vi)))
    assert list(adapted.state_dict()) == [f"network.{part}.{name}" for part in (0, 1) for name in ("weight", "bias")]
    assert torch.equal(copy.deepcopy(adapted)(ir, vi), adapted(ir, vi))
    assert name_of(adapted) == "Adapted(Conv2d, Conv2d)"


def test_a_mapping_of_three_sources():
    enc, dec = modules()
    sources = [torch.rand(2, 1, 4, 4) for _ in range(3)]
    adapted = metaloss.Adapted({"enc": enc, "dec": dec}, lambda enc, dec, *images: dec(sum(map(enc, images))))
    torch.testing.assert_close(adapted(*sources), dec(sum(map(enc, sources))))


class Rgb(nn.Module):
    """Says what it got, and returns an image whose channels differ."""

    def forward(self, a, b):
        assert a.shape[1] == b.shape[1] == 3
        assert torch.equal(a[:, 0], a[:, 2])
        return (a + b) / 2 * torch.tensor([1.0, 0.5, 0.2]).view(3, 1, 1)


def test_rgb_networks_see_grey_repeated_and_give_luma():
    ir, vi = pair()
    fused = metaloss.Adapted(Rgb(), channels=3)(ir, vi)
    torch.testing.assert_close(fused, (ir + vi) / 2 * (0.299 + 0.587 * 0.5 + 0.114 * 0.2))
    called = metaloss.Adapted(Rgb(), lambda net, ir, vi: {"rgb": net(ir, vi)}["rgb"], channels=3)
    assert torch.equal(called(ir, vi), fused)
    assert torch.equal(
        metaloss.Adapted(nn.Conv2d(3, 1, 1), lambda net, a, b: net(a) * 0 + b[:, :1], channels=3)(ir, vi), vi
    )


def test_rgb_sources_stay_rgb():
    ir, vi = pair(channels=3)
    adapted = metaloss.Adapted(nn.Conv2d(3, 3, 1), lambda net, a, b: net(a) + b, channels=3)
    assert torch.equal(adapted(ir, vi), adapted.network(ir) + vi)
    assert luma(adapted(ir, vi)).shape == (2, 1, 4, 6)


class Demanding(nn.Module):
    """Averages over blocks of a size, of squares alone if told so."""

    def __init__(self, stride, square=False):
        super().__init__()
        self.stride, self.square = stride, square
        self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, a, b):
        height, width = a.shape[-2:]
        if height % self.stride or width % self.stride or (self.square and height != width):
            raise ValueError(f"{height}x{width} is not divisible by {self.stride}")
        return self.gain * (a + b) / 2


@pytest.mark.parametrize(("stride", "square", "size"), [(7, False, (14, 21)), (5, True, (20, 20)), (1, True, (18, 18))])
def test_sizes_that_the_network_does_not_take_are_padded(stride, square, size):
    seen = []
    network = Demanding(stride, square)
    network.register_forward_pre_hook(lambda module, sources: seen.append(tuple(sources[0].shape[-2:])))
    adapted = metaloss.Adapted(network, multiple=stride, square=square)
    ir, vi = pair((13, 18))
    fused = adapted(ir, vi)
    torch.testing.assert_close(fused, (ir + vi) / 2)
    assert seen == [size]
    edge = F.pad(ir, (0, size[1] - 18, 0, size[0] - 13), mode="replicate")
    assert torch.equal(edge[..., 12:, :18], ir[..., 12:, :].expand_as(edge[..., 12:, :18]))
    fused.sum().backward()
    assert network.gain.grad is not None


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"network": modules()}, "2 networks without call"),
        ({"network": ()}, r"network=\(\): expected a torch.nn.Module"),
        ({"network": "unet"}, "network='unet': expected a torch.nn.Module"),
        ({"network": print, "call": by_position}, "expected a torch.nn.Module"),
        ({"network": (modules()[0], torch.relu), "call": by_position}, r"network\[1\] is a builtin_function_or_method"),
        ({"network": {"a": modules()[0], "b": 3}, "call": by_position}, r"network\['b'\] is a int"),
        ({"network": {"a.b": modules()[0]}, "call": by_position}, r"the names 'a.b': .*choose others"),
        ({"network": {"keys": modules()[0]}, "call": by_position}, "the names 'keys': .*choose others"),
        ({"network": modules()[0], "channels": 4}, "channels=4: expected 3"),
        ({"network": modules()[0], "multiple": 0}, "multiple=0: expected"),
        ({"network": modules()[0], "multiple": 1.5}, "multiple=1.5: expected"),
    ],
)
def test_what_it_refuses(arguments, reason):
    with pytest.raises(metaloss.ConfigError, match=reason):
        metaloss.Adapted(**arguments)
