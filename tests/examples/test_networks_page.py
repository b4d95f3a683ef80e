"""The recipes of docs/networks.md, on small stand-ins that are called as the published networks are."""

import re
import sys
import types
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import metaloss
from metaloss.data import SyntheticScenes, collate
from metaloss.testing import check_fusion

PAGE = (Path(__file__).parents[2] / "docs" / "networks.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def block(start):
    """The one block of the page that contains these words."""
    (found,) = [code for code in BLOCKS if start in code]
    return found


def recipe(name):
    return re.findall(rf"^### {re.escape(name)}\n.*?```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)[0]


def run(code, **names):
    space = {"torch": torch, "metaloss": metaloss, **names}
    exec(compile(code, "docs/networks.md", "exec"), space)
    return space


def batch(seed=0):
    return collate([SyntheticScenes(2, size=(32, 32), seed=seed)[number] for number in range(2)])


def learner(network, **options):
    task = metaloss.ModuleTask(nn.Conv2d(1, 4, 3, padding=1), F.cross_entropy)
    loss = metaloss.LearnableFusionLoss(alpha=1.0)
    return metaloss.MetaLearner(fusion=network, loss=loss, task=task, lr=1e-3, **options)


def assert_trains(network):
    """Checks a network, takes both steps and fuses an odd size; every parameter has to move."""
    check_fusion(network, *batch().sources)
    training = learner(network, fusion_optimizer=torch.optim.SGD(network.parameters(), lr=0.1))
    before = [parameter.detach().clone() for parameter in network.parameters()]
    training.meta_step(batch(), batch(1))
    training.fusion_step(batch())
    assert all(not torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))
    assert training.fuse(torch.rand(1, 1, 31, 27), torch.rand(1, 1, 31, 27)).shape == (1, 1, 31, 27)
    return training


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.base, self.detail = (nn.Conv2d(n, 4, 3, padding=1) for n in (1, 4, 4))

    def forward(self, image):
        first = self.first(image).tanh()
        return first, self.base(first).tanh(), self.detail(first).tanh()


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Conv2d(12, 1, 3, padding=1)

    def forward(self, *features):
        return self.last(torch.cat(features, 1)).sigmoid()


class Convolutions(nn.Module):
    """A stand-in of any channels and any last activation."""

    def __init__(self, channels=1, last=torch.sigmoid):
        super().__init__()
        self.first, self.second = nn.Conv2d(2 * channels, 8, 3, padding=1), nn.Conv2d(8, channels, 3, padding=1)
        self.last = last

    def forward(self, first, second):
        return self.last(self.second(F.silu(self.first(torch.cat((first, second), 1)))))


class Buffers(nn.Module):
    """Weights kept as buffers that require gradients."""

    def __init__(self, block_num, feature_out):
        super().__init__()
        self.layer = nn.Module()
        layer = nn.Conv2d(4, 4, 3)
        self.layer.register_buffer("weight", layer.weight.detach().requires_grad_())
        self.layer.register_buffer("bias", layer.bias.detach().requires_grad_())
        self.last = nn.Conv2d(4, 2, 1)

    def forward(self, image):
        return None, self.last(F.conv2d(image, self.layer.weight, self.layer.bias, padding=1).tanh()).sigmoid()


class NoForward(nn.Module):
    """DenseFuse's form: an encoder, a rule and a decoder, of images 0..255."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 1, 3, padding=1)

    def encoder(self, image):
        return [self.first(image / 255).tanh()]

    def fusion(self, first, second):
        return [(first[0] + second[0]) / 2]

    def decoder(self, features):
        return [255 * self.last(features[0]).sigmoid()]


def test_every_block_is_python():
    assert len(BLOCKS) > 25
    for code in BLOCKS:
        compile(code, "docs/networks.md", "exec")


@pytest.mark.parametrize("name", ["network", "by_name", "together"])
def test_several_modules(name):
    class Add(Encoder):
        def forward(self, image):
            return torch.cat(super().forward(image), 1)

    assert_trains(run(block("by_name ="), encoder=Add(), decoder=Decoder())[name])


def test_an_rgb_network():
    assert_trains(run(block("Adapted(rgb_network"), rgb_network=Convolutions(3))["network"])


@pytest.mark.parametrize("name", ["tanh", "symmetric", "bytes_", "imagenet"])
def test_another_range(name):
    last = {"bytes_": lambda x: 255 * x.sigmoid(), "imagenet": torch.sigmoid}.get(name, torch.tanh)
    network = run(block("symmetric ="), net=Convolutions(3 if name == "imagenet" else 1, last))[name]
    assert 0 <= network(*batch().sources).min() <= network(*batch().sources).max() <= 1
    assert_trains(network)


@pytest.mark.parametrize("name", ["network", "square"])
def test_sizes(name):
    seen, net = [], Convolutions()
    net.register_forward_pre_hook(lambda module, sources: seen.append(tuple(sources[0].shape[-2:])))
    run(block("multiple=28"), net=net)[name](torch.rand(1, 1, 30, 50), torch.rand(1, 1, 30, 50))
    assert seen == [(128, 128) if name == "square" else (56, 56)]


@pytest.mark.parametrize(
    ("name", "module", "classes"),
    [
        ("EMMA", "nets.Ufuser", {"Ufuser": Convolutions}),
        ("DIDFuse", "DIDFuse", {"AE_Encoder": Encoder, "AE_Decoder": Decoder}),
        ("DenseFuse", "net", {"DenseFuse_net": NoForward}),
        ("MetaFusion", "models.metafusion_net", {"FusionNet": Buffers}),
    ],
)
def test_recipes_with_stand_ins(name, module, classes, monkeypatch):
    for depth in range(module.count(".") + 1):
        monkeypatch.setitem(sys.modules, module.rsplit(".", depth)[0], types.ModuleType(module))
    vars(sys.modules[module]).update(classes)
    assert_trains(run(recipe(name))["network"])


def test_weights_in_and_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    theirs = Convolutions()
    torch.save({"model": {f"module.{key}": value for key, value in theirs.state_dict().items()}}, "theirs.pth")
    network = run(block("removeprefix"), path="theirs.pth", net=Convolutions())["network"]
    ir, vi = batch().sources
    assert torch.equal(network(ir, vi), theirs(vi, ir))
    run(block("for_their_test.pth"), learner=assert_trains(network))
    back = torch.load("for_their_test.pth", weights_only=True)
    theirs.load_state_dict(back)
    assert torch.equal(network(ir, vi), theirs(vi, ir))
    nn.DataParallel(theirs).load_state_dict(torch.load("parallel.pth", weights_only=True))


def test_weights_of_several_modules(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    modules = {"encoder": Encoder(), "decoder": Decoder()}
    training = learner(metaloss.Adapted(modules, lambda net, ir, vi: net["decoder"](*net["encoder"](ir + vi))))
    run(block("parts.pth"), learner=training)
    saved = torch.load("parts.pth", weights_only=True)
    encoder, decoder = Encoder(), Decoder()
    encoder.load_state_dict(saved["encoder"])
    decoder.load_state_dict(saved["decoder"])
    ir, vi = batch().sources
    assert torch.equal(decoder(*encoder(ir + vi)), training.fusion(ir, vi))


def test_weights_of_a_checkpoint(tmp_path):
    training = learner(metaloss.Adapted(Convolutions(), lambda net, ir, vi: net(ir, vi)))
    training.fit(SyntheticScenes(2, size=(32, 32)), epochs=1, meta_steps=1, batch_size=2, work_dir=tmp_path)
    network = metaloss.Adapted(Convolutions(), lambda net, ir, vi: net(ir, vi))
    network.load_state_dict(torch.load(tmp_path / "epoch_1.pth", weights_only=True)["fusion"])
    assert torch.equal(network(*batch().sources), training.fusion(*batch().sources))
