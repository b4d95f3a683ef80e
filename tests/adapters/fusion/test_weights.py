"""Weight files of the published networks: recognised, refused, and back again."""

import re
import types

import pytest
import torch
from torch import nn
from weight_files import cddfuse_parts, in_parallel, write

import metaloss
from metaloss.cli.chosen_weights import _settings_of
from metaloss.plugins import PublishedNetwork, Record, build_fusion, load_fusion, plugin_manager
from metaloss.runtime import files

NAMES = ("cddfuse", "datfuse", "densefuse", "didfuse", "ifcnn", "seafusion", "tardal", "u2fusion", "ydtr")


def filled(name):
    """A network with its own random weights and statistics."""
    network = build_fusion(name).eval()
    for key, value in network.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) + 0.5 if "running_var" in key else torch.randn_like(value) / 10)
    return network


def same(first, second):
    first, second = first.state_dict(), second.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "cddfuse"])
def test_files_in_the_published_form(name, tmp_path):
    if name == "u2fusion" and not hasattr(torch.serialization, "safe_globals"):
        pytest.skip("torch 2.4 reads no numbers of NumPy")
    network = filled(name)
    paths = write(tmp_path, name, network.state_dict())
    for weights in (paths, paths[::-1], tuple(map(str, paths))):
        loaded = build_fusion(name, weights=weights)
        assert same(loaded, network)
        assert not loaded.training
    assert same(load_fusion(paths), network)  # by what is in it
    assert load_fusion(paths).metaloss_record == {"name": name, "arguments": {}}


@pytest.mark.slow
def test_the_published_form_of_cddfuse(tmp_path):
    parts = cddfuse_parts()
    for number, content in enumerate((parts, in_parallel(parts), {"epoch": 3, "models": in_parallel(parts)})):
        (path,) = write(tmp_path / str(number), "cddfuse", content)
        network = load_fusion(path)
        assert same(network, build_fusion("cddfuse", weights=path))
        assert torch.equal(network.base.attention.full.weight, parts["BaseFuseLayer"]["attn.qkv2.weight"])
    assert sum(value.numel() for state in parts.values() for value in state.values()) == 1_188_272


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {f"module.{key}": value for key, value in state.items()},
        lambda state: {f"_orig_mod.{key}": value for key, value in state.items()},
        lambda state: {"state_dict": {f"module.{key}": value for key, value in state.items()}, "epoch": 4},
        lambda state: {"model": state, "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{}]}},
        lambda state: {"epoch": 1, "networks": {"net": state, "other": {"x.weight": torch.ones(2)}}},
    ],
)
def test_wrapped_weights(wrap, tmp_path):
    network = filled("datfuse")
    torch.save(wrap(network.state_dict()), tmp_path / "wrapped.pth")
    assert same(build_fusion("datfuse", weights=tmp_path / "wrapped.pth"), network)
    assert same(load_fusion(tmp_path / "wrapped.pth"), network)


def test_several_parts_in_one_file(tmp_path):
    network = filled("didfuse")
    encoder, decoder = (torch.load(path) for path in write(tmp_path, "didfuse", network.state_dict()))
    for content in (
        {"Encoder": encoder, "Decoder": decoder, "epoch": 3},
        {"nets": {"decoder": decoder["weight"], "encoder": encoder["weight"]}, "optimizer": {"state": {}}},
        encoder["weight"] | decoder["weight"],
    ):
        torch.save(content, tmp_path / "one.pth")
        assert same(load_fusion(tmp_path / "one.pth"), network)


def test_a_checkpoints_other_arguments_stay(tmp_path):
    network = build_fusion("ifcnn", scheme="mean", normalised=False)
    files.save(tmp_path / "ours.pth", {"fusion": network.state_dict(), "metaloss": {"fusion": network.metaloss_record}})
    for given, expected in (
        ({}, {"scheme": "mean", "normalised": False}),
        ({"scheme": "sum"}, {"scheme": "sum", "normalised": False}),
        ({"normalised": True}, {"scheme": "mean", "normalised": True}),
    ):
        loaded = build_fusion("ifcnn", weights=tmp_path / "ours.pth", **given)
        assert loaded.metaloss_record == {"name": "ifcnn", "arguments": expected}
        assert loaded.merged is build_fusion("ifcnn", scheme=expected["scheme"]).merged
    with pytest.raises(metaloss.errors.CheckpointError, match=r"ours\.pth.*unexpected keyword argument 'schema'"):
        build_fusion("ifcnn", weights=tmp_path / "ours.pth", schema="sum")


@pytest.mark.parametrize("name", ["ifcnn", "densefuse", "didfuse", "ydtr"])
def test_a_published_file_begins_both_encoders_and_what_they_learn_is_found_again(name, tmp_path):
    network, form = filled(name), {"shared_encoder": False}
    paths = write(tmp_path, name, network.state_dict())
    apart = build_fusion(name, weights=paths, **form)
    sources = torch.rand(2, 1, 1, 8, 9)
    assert torch.equal(apart(*sources), network(*sources))
    assert apart.metaloss_record == {"name": name, "arguments": form}
    with torch.no_grad():
        next(apart.vi.parameters()).mul_(0.5)
    files.save(tmp_path / "ours.pth", {"fusion": apart.state_dict(), "metaloss": {"fusion": apart.metaloss_record}})
    torch.save(apart.state_dict(), tmp_path / "bare.pth")
    for again in (load_fusion(tmp_path / "ours.pth"), build_fusion(name, weights=tmp_path / "bare.pth", **form)):
        assert same(again, apart)
    with pytest.raises(metaloss.errors.CheckpointError, match=r"unexpected, the first 'vi\."):
        build_fusion(name, weights=tmp_path / "bare.pth")
    assert same(metaloss.load(tmp_path / "bare.pth", fusion=build_fusion(name, **form)), apart)


@pytest.mark.parametrize("name", ["ifcnn", "didfuse"])
def test_weights_of_a_shared_encoder_begin_both_wherever_they_come_from(name, tmp_path):
    network, form = filled(name), {"shared_encoder": False}
    paths = write(tmp_path, name, network.state_dict())
    expected = build_fusion(name, weights=paths, **form)
    ours = tmp_path / "ours.pth"
    files.save(ours, {"fusion": network.state_dict(), "metaloss": {"fusion": network.metaloss_record}})
    for loaded in (
        build_fusion(name, weights=ours, **form),
        metaloss.load(ours, fusion=build_fusion(name, **form)),
        metaloss.load(paths, fusion=build_fusion(name, **form)),
    ):
        assert same(loaded, expected)


def test_a_damaged_file_of_two_encoders_is_not_mended_from_the_other(tmp_path):
    state = build_fusion("ifcnn", shared_encoder=False).state_dict()
    del state["vi.conv2.bn.bias"]
    torch.save(state, tmp_path / "damaged.pth")
    with pytest.raises(metaloss.errors.CheckpointError, match=r"1 missing, the first 'vi\.conv2\.bn\.bias'"):
        build_fusion("ifcnn", weights=tmp_path / "damaged.pth", shared_encoder=False)


def test_a_form_that_is_asked_for_is_printed(tmp_path):
    for form, printed in (({}, ""), ({"shared_encoder": False}, "densefuse:shared_encoder=False")):
        assert _settings_of(build_fusion("densefuse", **form)) == printed


def test_arguments_that_there_are_not():
    with pytest.raises(metaloss.errors.ConfigError, match=r"'seafusion'.*unexpected.*'scheme'; it is called as"):
        build_fusion("seafusion", scheme="sum")
    with pytest.raises(metaloss.errors.ConfigError, match="'tardal': halved='no': expected True or False"):
        build_fusion("tardal", halved="no")
    with pytest.raises(metaloss.errors.PluginError, match="did you mean 'seafusion'"):
        build_fusion("SeaFusion")


def test_whole_numbers_are_no_weights(tmp_path):
    state = {key: value.to(torch.int8) for key, value in build_fusion("datfuse").state_dict().items()}
    torch.save(state, tmp_path / "int8.pth")
    with pytest.raises(metaloss.errors.CheckpointError, match="of another kind of number"):
        build_fusion("datfuse", weights=tmp_path / "int8.pth")


def test_tensors_without_numbers_are_no_weights(tmp_path):
    path = tmp_path / "hollow.pth"
    torch.save({key: value.to("meta") for key, value in build_fusion("seafusion").state_dict().items()}, path)
    with pytest.raises(metaloss.errors.CheckpointError, match="not the weights of 'seafusion': 68 missing"):
        build_fusion("seafusion", weights=path)
    with pytest.raises(metaloss.errors.CheckpointError, match="not the weights of this SeAFusion: 68 missing"):
        metaloss.load(path, fusion=build_fusion("seafusion"))
    with pytest.raises(metaloss.errors.CheckpointError, match="holds no fusion network"):
        metaloss.load(path)


@pytest.mark.slow
def test_wrong_files_are_refused_with_the_names_that_fit(tmp_path):
    (path,) = write(tmp_path, "tardal", filled("tardal").state_dict())
    with pytest.raises(metaloss.CheckpointError) as error:
        build_fusion("seafusion", weights=path)
    assert re.fullmatch(
        rf"{re.escape(str(path))}: not the weights of 'seafusion': \d+ missing, the first 'vis_conv.conv.weight'; "
        r"\d+ unexpected, the first '[\w.]+'; they are the weights of 'tardal'",
        str(error.value),
    )
    state = build_fusion("ydtr").state_dict()
    torch.save({**state, "convInput.conv.weight": torch.ones(3)}, tmp_path / "other.pth")
    with pytest.raises(
        metaloss.CheckpointError, match=r"1 of another shape, the first 'convInput.*they fit no published"
    ):
        build_fusion("ydtr", weights=tmp_path / "other.pth")
    torch.save({**state, "basicLayer.blocks.2.norm1.weight": torch.ones(64)}, tmp_path / "deeper.pth")
    with pytest.raises(metaloss.CheckpointError, match=r"1 unexpected, the first 'basicLayer.blocks.2.norm1.weight'"):
        build_fusion("ydtr", weights=tmp_path / "deeper.pth")
    torch.save({"a": torch.ones(1)}, tmp_path / "foreign.pth")
    with pytest.raises(metaloss.CheckpointError, match=r"holds no fusion network.*no published network that is known"):
        load_fusion(tmp_path / "foreign.pth")
    torch.save({}, tmp_path / "empty.pth")
    for name in NAMES:
        with pytest.raises(metaloss.CheckpointError, match=r"empty\.pth: not the weights of"):
            build_fusion(name, weights=tmp_path / "empty.pth")
    with pytest.raises(metaloss.CheckpointError, match="no weight file is given"):
        build_fusion("ydtr", weights=[])


@pytest.mark.slow
def test_a_part_is_not_the_whole(tmp_path):
    encoder, decoder = write(tmp_path, "didfuse", filled("didfuse").state_dict())
    for load in (lambda weights: build_fusion("didfuse", weights=weights), load_fusion):
        with pytest.raises(metaloss.CheckpointError) as error:
            load(encoder)
        assert "a part of the weights of 'didfuse', whose files are Models/Encoder_weight_IJCAI.pkl and" in str(
            error.value
        )
        assert str(error.value).endswith("give all of them")
        with pytest.raises(metaloss.CheckpointError, match=r"'cov1.cov1.1.bias' is in two of the files"):
            build_fusion("didfuse", weights=[encoder, decoder, encoder])


def test_a_checkpoint_of_ours_holds_the_weights_and_not_their_path(tmp_path):
    network = filled("datfuse")
    (published,) = write(tmp_path / "published", "datfuse", network.state_dict())
    network = build_fusion("datfuse", weights=published)
    learner = metaloss.MetaLearner(
        fusion=network,
        loss=metaloss.LearnableFusionLoss(),
        task=metaloss.ModuleTask(nn.Conv2d(1, 1, 3, padding=1), nn.functional.mse_loss),
    )
    assert not any(name == "weights" for name in network.metaloss_record["arguments"])
    path = tmp_path / "epoch_1.pth"
    files.save(path, {**learner.state_dict(), "metaloss": {"fusion": network.metaloss_record}})
    published.unlink()
    for again in (load_fusion(path), build_fusion("datfuse", weights=path)):
        assert same(again, network)
    with pytest.raises(metaloss.CheckpointError, match="holds a network 'datfuse' and not 'ydtr'"):
        build_fusion("ydtr", weights=path)


def test_arguments_of_a_checkpoint_need_not_be_given_again(tmp_path):
    network = build_fusion("ifcnn", scheme="mean")
    spec = {"fusion": network.metaloss_record}
    files.save(tmp_path / "mean.pth", {"fusion": network.state_dict(), "metaloss": spec})
    for again in (load_fusion(tmp_path / "mean.pth"), build_fusion("ifcnn", weights=tmp_path / "mean.pth")):
        assert again.metaloss_record["arguments"] == {"scheme": "mean"}
    other = build_fusion("ifcnn", weights=tmp_path / "mean.pth", scheme="max")
    assert other.merged is torch.maximum
    three = build_fusion("refusion", sources=3)
    files.save(tmp_path / "three.pth", {"fusion": three.state_dict(), "metaloss": {"fusion": three.metaloss_record}})
    assert same(build_fusion("refusion", weights=tmp_path / "three.pth"), three)


def test_the_published_files_of_refusion_by_name(real_data):
    path = real_data("refusion_official") / "ReFusion_IVIF.pth"
    assert same(build_fusion("refusion", weights=path), load_fusion(path))
    with pytest.raises(metaloss.CheckpointError, match="they are the weights of 'refusion'"):
        build_fusion("tardal", weights=path)


class Dense(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.mix = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, *sources):
        return self.mix(torch.cat(sources, 1)).sigmoid()


def strangers(*records):
    plugin = types.SimpleNamespace(__name__="strangers")
    plugin.metaloss_fusion_networks = metaloss.hookimpl(lambda: list(records))
    return plugin


def test_a_strangers_network(tmp_path, register):
    def ours(weights):
        return {key.replace("blend", "mix"): value for key, value in weights.items()}

    network = Dense()
    torch.save({"blend.weight": network.mix.weight, "blend.bias": network.mix.bias}, tmp_path / "blend.pth")
    record = PublishedNetwork("dense", Dense, rename=ours, weights="blend.pth", parameters=19)
    register(strangers(record, Record("plain", Dense)), "strangers")
    assert same(load_fusion(tmp_path / "blend.pth"), network)
    assert same(build_fusion("dense", weights=tmp_path / "blend.pth"), network)
    torch.save(network.state_dict(), tmp_path / "mix.pth")
    assert same(build_fusion("plain", weights=tmp_path / "mix.pth"), network)  # a record without a published form
    with pytest.raises(metaloss.CheckpointError, match="they are the weights of 'dense'"):
        build_fusion("tardal", weights=tmp_path / "blend.pth")
    broken = PublishedNetwork("broken", Dense, rename=lambda weights: weights["absent"])
    unbuildable = PublishedNetwork("unbuildable", lambda: 1 / 0)
    register(strangers(broken, unbuildable), "more strangers")
    assert same(load_fusion(tmp_path / "blend.pth"), network)
    with pytest.raises(metaloss.CheckpointError, match="not the weights of 'broken': KeyError: 'absent'"):
        build_fusion("broken", weights=tmp_path / "blend.pth")
    twin = PublishedNetwork("twin", Dense)
    register(strangers(twin), "a twin")
    with pytest.raises(metaloss.CheckpointError, match=r"may be of 'dense' or of 'twin': say which, with --network"):
        load_fusion(tmp_path / "mix.pth")


def test_a_file_that_holds_itself_many_times(tmp_path):
    inner = {f"k{number}": torch.ones(1) for number in range(200)}
    for _ in range(3):
        inner = {f"d{number}": inner for number in range(200)}
    torch.save(inner, tmp_path / "many.pth")
    with pytest.raises(metaloss.CheckpointError, match="not the weights of 'datfuse'"):
        build_fusion("datfuse", weights=tmp_path / "many.pth")


@pytest.fixture
def register():
    manager, registered = plugin_manager(), []

    def add(plugin, name):
        manager.register(plugin, name=name)
        registered.append(plugin)

    yield add
    for plugin in registered:
        manager.unregister(plugin)
