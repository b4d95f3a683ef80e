import torch
from torch import nn

import metaloss


def test_concatenated_gives_the_network_one_tensor():
    network = nn.Conv2d(3, 1, 1)
    sources = [torch.rand(2, 1, 4, 5) for _ in range(3)]
    assert torch.equal(metaloss.Concatenated(network)(*sources), network(torch.cat(sources, 1)))


def test_adapted_calls_as_told():
    network = nn.ModuleDict({"a": nn.Conv2d(1, 1, 1)})
    adapted = metaloss.Adapted(network, call=lambda net, ir, vi: {"fused": net["a"](ir) - vi}["fused"])
    ir, vi = torch.rand(2, 1, 4, 4), torch.rand(2, 1, 4, 4)
    assert torch.equal(adapted(ir, vi), network["a"](ir) - vi)
    assert [name for name, _ in adapted.named_parameters()] == ["network.a.weight", "network.a.bias"]
