import pytest
import torch
from torch import nn
from toys import PlainNet, concatenated, held, same

import metaloss
from metaloss import Fuser
from metaloss.errors import CheckpointError, ConfigError
from metaloss.networks import ReFusionNet
from metaloss.plugins import build_fusion
from metaloss.plugins.trained_range import trained_range
from metaloss.runtime import files


def learner(network):
    task = metaloss.ModuleTask(nn.Conv2d(1, 1, 1), nn.functional.mse_loss)
    return metaloss.MetaLearner(fusion=network, loss=metaloss.LearnableFusionLoss(weights="uniform"), task=task)


def same_weights(first, second):
    first, second = first.state_dict(), second.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.25))

    def forward(self, a, b):
        return self.scale * (a + b), None


def adapted():
    return metaloss.Adapted(Inner(), call=lambda network, a, b: network(a, b)[0])


@pytest.mark.parametrize("make", [PlainNet, adapted, concatenated])
def test_a_network_of_a_script_takes_its_weights(make, tmp_path):
    network = make()
    learner(network).save(tmp_path / "mine.pth")
    mine = make()
    with torch.no_grad():
        for param in mine.parameters():
            param.add_(1)
    loaded = metaloss.load(tmp_path / "mine.pth", fusion=mine)
    assert loaded is mine
    assert same_weights(loaded, network)
    assert not any(module.training for module in loaded.modules())
    with pytest.raises(CheckpointError, match=r"metaloss.load\(path, fusion=network\).*--network FILE.py:FUNCTION"):
        metaloss.load(tmp_path / "mine.pth")
    one, two = torch.rand(2, 1, 8, 8).unbind()
    expected = Fuser(network)(one, two)
    assert torch.equal(Fuser.load(tmp_path / "mine.pth", fusion=make(), device="cpu")(one, two), expected)


def test_networks_by_name_need_no_network(tmp_path):
    network = ReFusionNet()
    learner(network).save(tmp_path / "a.pth")
    assert same_weights(metaloss.load(tmp_path / "a.pth"), network)
    assert same_weights(metaloss.load(tmp_path / "a.pth", network="refusion"), network)
    assert same_weights(metaloss.load(tmp_path / "a.pth", fusion=ReFusionNet()), network)
    with pytest.raises(ConfigError, match="network='refusion' and fusion"):
        metaloss.load(tmp_path / "a.pth", fusion=ReFusionNet(), network="refusion")
    with pytest.raises(ConfigError, match="a name goes into network="):
        metaloss.load(tmp_path / "a.pth", fusion="refusion")


@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: {"model": s, "epoch": 3}, lambda s: {f"module.{name}": v for name, v in s.items()}]
)
def test_state_dicts_of_others_into_the_network_or_what_is_wrapped_in_it(wrap, tmp_path):
    inner = Inner()
    inner.scale.data.fill_(0.75)
    torch.save(wrap(inner.state_dict()), tmp_path / "theirs.pth")
    for network in (Inner(), adapted(), nn.DataParallel(adapted())):
        metaloss.load(tmp_path / "theirs.pth", fusion=network)
        assert [param.item() for param in network.parameters()] == [0.75]


def test_weights_of_another_network_change_nothing(tmp_path):
    learner(PlainNet()).save(tmp_path / "a.pth")
    seafusion = build_fusion("seafusion")
    torch.save(seafusion.state_dict(), tmp_path / "sea.pth")
    network = adapted()
    before = held(network)
    with pytest.raises(CheckpointError, match=r"this Adapted\(Inner\): 1 missing.*holds a network '.*PlainNet'"):
        metaloss.load(tmp_path / "a.pth", fusion=network)
    with pytest.raises(CheckpointError, match="they are the weights of 'seafusion'"):
        metaloss.load(tmp_path / "sea.pth", fusion=network)
    assert same(held(network), before)
    assert network.training


def test_the_range_of_the_training_is_known(tmp_path):
    content = {
        "fusion": PlainNet().state_dict(),
        "metaloss": {"data": {"sources": ["ir", "vi"], "range": ["data", "full"]}},
    }
    files.save(tmp_path / "a.pth", content)
    network = metaloss.load(tmp_path / "a.pth", fusion=PlainNet())
    assert list(map(str, trained_range(network, ("ir", "vi")))) == ["data", "full"]


def test_a_spec_that_holds_itself_a_million_times_is_refused_at_once(tmp_path):
    bomb = [1]
    for _ in range(60):
        bomb = [bomb, bomb]
    spec = {"name": "refusion", "arguments": {"sources": bomb}}
    torch.save({"fusion": ReFusionNet().state_dict(), "metaloss": {"fusion": spec}}, tmp_path / "x.pth")
    with pytest.raises(metaloss.MetaLossError, match=r"x\.pth"):
        metaloss.load(tmp_path / "x.pth")
