from contextlib import contextmanager

import pytest
import torch
from torch import nn

import metaloss
from metaloss.errors import CheckpointError, PluginError
from metaloss.networks import ReFusionNet
from metaloss.plugins import Record, build_fusion, difference, load_fusion, load_generator, plugin_manager
from metaloss.runtime import files


class Gain(nn.Module):
    def __init__(self, gain=0.5):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))

    def forward(self, *sources):
        return self.gain * sum(sources)


class GainPlugin:
    @metaloss.hookimpl
    def metaloss_fusion_networks(self):
        return [Record("gain", Gain)]


@contextmanager
def using(plugin):
    plugin_manager().register(plugin)
    yield
    plugin_manager().unregister(plugin)


def fitted(fusion, folder, loss=None):
    """A checkpoint that the library's own training wrote."""
    item = {"sources": (torch.rand(1, 16, 16), torch.rand(1, 16, 16)), "target": torch.rand(1, 16, 16)}
    task = metaloss.ModuleTask(nn.Conv2d(1, 1, 1), nn.functional.mse_loss)
    learner = metaloss.MetaLearner(
        fusion=fusion, loss=loss or metaloss.LearnableFusionLoss(weights="uniform"), task=task
    )
    learner.fit([item, item], epochs=1, meta_steps=0, work_dir=folder)
    return folder / "epoch_1.pth"


def same_weights(first, second):
    first, second = first.state_dict(), second.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_the_learners_checkpoint(tmp_path):
    network = ReFusionNet()
    loaded = load_fusion(fitted(network, tmp_path))
    assert same_weights(loaded, network)
    assert not any(module.training for module in loaded.modules())


def test_a_checkpoint_of_a_network_in_parallel(tmp_path):
    network = ReFusionNet()
    assert same_weights(load_fusion(fitted(nn.DataParallel(network), tmp_path)), network)


def test_a_network_built_by_name_comes_back_with_its_arguments(tmp_path):
    network = build_fusion("refusion", sources=3)
    files.save(tmp_path / "a.pth", {"fusion": network.state_dict(), "metaloss": {"fusion": network.metaloss_record}})
    loaded = load_fusion(tmp_path / "a.pth")
    assert loaded.arguments["sources"] == 3
    assert same_weights(loaded, network)


def test_a_loss_generator_built_by_name_is_saved_by_name(tmp_path):
    class Plugin:
        @metaloss.hookimpl
        def metaloss_loss_generators(self):
            return [Record("even", Even)]

    class Even(nn.Module):
        def __init__(self, bias=0.0):
            super().__init__()
            self.bias = nn.Parameter(torch.tensor([bias, -bias]))

        def forward(self, *sources):
            return self.bias.softmax(0)[None, :, None, None].expand(len(sources[0]), 2, *sources[0].shape[-2:])

    with using(Plugin()):
        generator = metaloss.build_loss_generator("even", bias=0.5)
        path = fitted(ReFusionNet(), tmp_path, metaloss.LearnableFusionLoss(generator))
        with torch.no_grad():
            generator.bias.zero_()
        assert load_generator(path).bias.tolist() == [0.5, -0.5]
    with pytest.raises(PluginError, match="no loss generator 'even'"):
        load_generator(path)
    with pytest.raises(PluginError, match=r"no loss generator 'restormr' \(did you mean 'restormer'\?\)"):
        metaloss.build_loss_generator("restormr")


def test_a_network_of_a_plugin_needs_that_plugin(tmp_path):
    with using(GainPlugin()):
        path = fitted(build_fusion("gain", gain=0.25), tmp_path)
        assert load_fusion(path).gain.item() != 0.5
    with pytest.raises(PluginError, match="no fusion network 'gain'"):
        load_fusion(path)


def test_a_network_that_no_record_made(tmp_path):
    path = fitted(Gain(), tmp_path)
    with pytest.raises(CheckpointError, match=r"Gain was not built by name.*register it as a plug-in"):
        load_fusion(path)


def trainers(folder, network, spec):
    """A checkpoint as the trainer writes it: one state dict of F, G and T."""
    state = {f"fusion.{name}": value for name, value in network.state_dict().items()}
    files.save(folder / "epoch_1.pth", {"state_dict": {**state, "task.x": torch.ones(1)}, "metaloss": {"fusion": spec}})
    return folder / "epoch_1.pth"


def test_the_trainers_checkpoint(tmp_path):
    network = ReFusionNet()
    path = trainers(tmp_path, network, {"name": "refusion", "arguments": {"sources": 2}})
    assert same_weights(load_fusion(path), network)


def test_a_network_that_a_config_defined(tmp_path):
    path = trainers(tmp_path, Gain(0.25), {"config": {"type": "Gain"}, "imports": ["mine"]})
    asked = []
    loaded = load_fusion(path, lambda config, imports: asked.append((config, imports)) or Gain())
    assert loaded.gain.item() == 0.25
    assert asked == [({"type": "Gain"}, ["mine"])]
    with pytest.raises(CheckpointError, match="from a config was not built by name"):
        load_fusion(path)


def test_weights_of_another_network(tmp_path):
    path = trainers(tmp_path, Gain(), {"name": "refusion", "arguments": {"sources": 2}})
    with pytest.raises(CheckpointError, match=r"not the weights of this ReFusionNet: \d+ missing.*unexpected") as error:
        load_fusion(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["ReFusion_IVIF.pth", "ReFusion_MIF.pth"])
def test_published_files(real_data, name):
    network = load_fusion(real_data("refusion_official") / name)
    assert isinstance(network, ReFusionNet)
    assert not network.training


class NotPlain:
    pass


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"weight": torch.ones(2)}, "holds no fusion network"),
        ({"metaloss": 3, "fusion": {}}, "holds no fusion network"),
        ([torch.ones(2)], "holds a list"),
        ({"model": NotPlain()}, "holds code, which is never run"),
    ],
)
def test_foreign_files(tmp_path, content, reason):
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=rf"x\.pth: .*{reason}"):
        load_fusion(tmp_path / "x.pth")


def test_files_that_are_no_checkpoints(tmp_path):
    with pytest.raises(CheckpointError, match=r"absent\.pth: no such file"):
        load_fusion(tmp_path / "absent.pth")
    with pytest.raises(CheckpointError, match="is a folder"):
        load_fusion(tmp_path)
    path = fitted(ReFusionNet(), tmp_path)
    whole = path.read_bytes()
    for content in (b"", b"no checkpoint at all", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"epoch_1\.pth: (damaged|not a file of plain tensors)"):
            load_fusion(path)


def test_difference_says_what_does_not_fit():
    module = nn.Linear(2, 3)
    state = module.state_dict()
    assert difference(module, state) == ""
    assert difference(module, {"bias": state["bias"]}) == "1 missing, the first 'weight'"
    assert difference(module, {**state, "other": torch.ones(1)}) == "1 unexpected, the first 'other'"
    assert difference(module, {**state, "weight": torch.ones(3, 3)}) == "1 of another shape, the first 'weight'"
    assert difference(module, {**state, "weight": 3}) == "1 of another shape, the first 'weight'"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"sources": 200_000}, "is to be built with 200,000, and its weights have nothing of that size"),
        ({"sources": 10**30}, "nothing of that size"),
        ({"sources": 12}, r"would have [\d,]+ weights, and the file has [\d,]+"),
        ({"sources": 3}, "not the weights of this ReFusionNet"),
        ({"sources": "two"}, "cannot be built again|sources"),
    ],
)
def test_a_file_cannot_ask_for_a_larger_network_than_its_own(tmp_path, arguments, reason):
    state = build_fusion("refusion").state_dict()
    files.save(
        tmp_path / "x.pth", {"fusion": state, "metaloss": {"fusion": {"name": "refusion", "arguments": arguments}}}
    )
    with pytest.raises(metaloss.MetaLossError, match=reason):
        load_fusion(tmp_path / "x.pth")


@pytest.mark.parametrize("state", [[1], None, {1: torch.zeros(2)}, {"head.weight": "none"}])
def test_a_part_of_another_form(tmp_path, state):
    spec = {"fusion": {"name": "refusion", "arguments": {}}}
    files.save(tmp_path / "x.pth", {"fusion": state, "metaloss": spec})
    with pytest.raises(CheckpointError, match=r"x\.pth: not the weights of this ReFusionNet"):
        load_fusion(tmp_path / "x.pth")
