import pytest
import torch
from metaloss_frameworks.weights import take_weights
from torch import nn
from torch.optim.swa_utils import AveragedModel

import metaloss
from metaloss.networks.spec import describe_fusion
from metaloss.networks.wrappers import plain_names, unwrapped

COMPILED = {"backend": "eager"}


def network():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


WRAPPED = {
    "parallel": nn.DataParallel,
    "compiled": lambda net: torch.compile(net, **COMPILED),
    "compiled and parallel": lambda net: nn.DataParallel(torch.compile(net, **COMPILED)),
    "parallel and compiled": lambda net: torch.compile(nn.DataParallel(net), **COMPILED),
    "averaged": AveragedModel,
    "a compiled part": lambda net: nn.Sequential(torch.compile(net[0], **COMPILED), net[1]),
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_names_lose_what_wrappers_added(kind):
    net = network()
    state = WRAPPED[kind](net).state_dict()
    assert plain_names(state).keys() == net.state_dict().keys()
    assert plain_names(state, net.state_dict().keys()).keys() == net.state_dict().keys()
    fresh = network()
    take_weights(fresh, state, "file.pth")
    assert all(torch.equal(value, fresh.state_dict()[name]) for name, value in net.state_dict().items())


def test_a_networks_own_names_stay():
    task = metaloss.ModuleTask(network(), nn.functional.mse_loss)
    own = task.state_dict()
    assert all(name.startswith("module.") for name in own)
    assert plain_names(own, own.keys()).keys() == own.keys()
    assert plain_names(nn.DataParallel(task).state_dict(), own.keys()).keys() == own.keys()
    state = {"module_gain": 1, "remodule.x": 2, "x_orig_mod.y": 3}
    assert plain_names(state) == state
    assert plain_names({}) == {}


@pytest.mark.parametrize("kind", [kind for kind in WRAPPED if kind not in ("averaged", "a compiled part")])
def test_a_wrapped_network_is_known_by_its_record(kind):
    net = metaloss.build_fusion("refusion", sources=3)
    wrapped = WRAPPED[kind](net)
    assert unwrapped(wrapped) is net
    assert describe_fusion(wrapped) == {"name": "refusion", "arguments": {"sources": 3}}
