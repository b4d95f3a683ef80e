"""The published networks: their images, their sizes, and that they train."""

import copy
import pickle

import cddfuse_reference
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from weight_files import cddfuse_parts, in_parallel

import metaloss
from metaloss.inference.fuse import fuse_any_size
from metaloss.plugins import PublishedNetwork, build_fusion, find
from metaloss.testing import check_fusion

PARAMETERS = {
    "cddfuse": 1_188_272,
    "datfuse": 10_760,
    "densefuse": 74_193,
    "didfuse": 260_935,
    "ifcnn": 83_587,
    "seafusion": 166_883,
    "tardal": 296_577,
    "u2fusion": 659_217,
    "ydtr": 217_770,
}
SEPARATE = {"ifcnn": 129_987, "densefuse": 88_225, "didfuse": 372_873, "ydtr": 324_307}  # with an encoder per source
FILES = {
    "datfuse": "model_10.pth",
    "densefuse": "densefuse_gray.model",
    "didfuse": ("Decoder_weight_IJCAI.pkl", "Encoder_weight_IJCAI.pkl"),
    "ifcnn": "IFCNN-MAX.pth",
    "seafusion": "SeAFusion.pth",
    "tardal": "tardal.pt",
    "u2fusion": "model.pth",
    "ydtr": "model_10.pth",
}
SCALE = {"densefuse": 255}  # of the published code's output


def pair(height, width, batch=1, dtype=torch.float32):
    return tuple(torch.rand(2, batch, 1, height, width, dtype=dtype))


def grey(path):
    return torch.from_numpy(np.asarray(Image.open(path), dtype=np.float32) / 255)[None, None]


@pytest.mark.parametrize("crop", ["01", "20"])
@pytest.mark.parametrize("name", FILES)
def test_the_published_weights_give_the_published_image(name, crop, real_data):
    folder = real_data("peers")
    files = [FILES[name]] if isinstance(FILES[name], str) else FILES[name]
    network = build_fusion(name, weights=[folder / name / file for file in files])
    with torch.no_grad():
        fused = network(*(grey(folder / source / f"{crop}.png") for source in ("ir", "vi")))
    expected = np.load(folder / name / "expected" / f"{crop}.npy") / SCALE.get(name, 1)
    assert np.abs(fused[0, 0].numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_and_record(name):
    record, network = find("fusion_networks", name), build_fusion(name)
    assert isinstance(record, PublishedNetwork)
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[name] == record.parameters
    assert f"{PARAMETERS[name]:,} parameters" in record.description
    assert f"{PARAMETERS[name]:,}" in type(network).__doc__
    assert all((record.paper, record.weights, record.data, record.range))
    assert record.repository.startswith("https://github.com/")
    assert network.metaloss_record == {"name": name, "arguments": {}}


@pytest.mark.parametrize("name", PARAMETERS)
def test_odd_sizes(name):
    network = build_fusion(name).eval()
    for height, width in ((61, 47), (2, 5), (1, 3), (1, 1)):
        sources = pair(height, width)
        with torch.no_grad():
            fused = network(*sources)
        assert fused.shape == sources[0].shape
        assert fused.isfinite().all()
        assert torch.equal(fuse_any_size(network, sources), fused)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "form"),
    [*((name, {}) for name in PARAMETERS), *((name, {"shared_encoder": False}) for name in SEPARATE)],
)
def test_they_keep_the_contract_and_forward_mode_is_exact(name, form):
    report = str(check_fusion(build_fusion(name, **form), *pair(8, 10, batch=2)))
    assert "hypergradient=" not in report  # a method that an operator does not allow
    assert "the meta-gradient in float64: forward mode and double backward agree" in report


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_new_network_starts_within_the_range_and_every_parameter_of_its_image_learns(name):
    network = build_fusion(name)
    fused = network(*pair(16, 16, batch=2))
    assert 0.05 < float(fused.detach().mean()) < 0.95
    (fused - 0.9).square().mean().backward()
    moved = {key for key, value in network.named_parameters() if value.grad is not None and value.grad.any()}
    still = {key.partition(".")[0] for key, value in network.named_parameters() if value.requires_grad} - {
        key.partition(".")[0] for key in moved
    }
    assert not still


@pytest.mark.parametrize(("name", "form"), [("tardal", {"halved": False}), ("u2fusion", {"symmetric": True})])
def test_a_new_network_of_another_form_starts_around_grey(name, form):
    fused = torch.stack([build_fusion(name, **form)(*pair(16, 16)).detach() for _ in range(3)])
    assert 0.2 < float(fused.mean()) < 0.8


@pytest.mark.parametrize("scheme", ["max", "sum", "mean"])
def test_an_ifcnn_can_be_copied_and_pickled(scheme):
    network, sources = build_fusion("ifcnn", scheme=scheme), pair(8, 9)
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(twin(*sources), network(*sources))


@pytest.mark.parametrize(("name", "parameters"), SEPARATE.items())
def test_an_encoder_for_each_source_lets_a_network_tell_them_apart(name, parameters):
    shared, own = build_fusion(name), build_fusion(name, shared_encoder=False)
    assert sum(parameter.numel() for parameter in own.parameters()) == parameters
    assert f"{parameters:,}" in type(own).__doc__
    own.load_state_dict(own.complete_weights(shared.state_dict()))
    ir, vi = pair(12, 9, batch=2)
    torch.testing.assert_close(shared(ir, vi), shared(vi, ir))
    assert torch.equal(own(ir, vi), shared(ir, vi))
    optimizer = torch.optim.Adam(own.parameters(), lr=1e-3)
    for _ in range(20):
        optimizer.zero_grad()
        (own(ir, vi) - ir).square().mean().backward()
        optimizer.step()
    with torch.no_grad():
        assert (own(ir, vi) - own(vi, ir)).abs().max() > 1e-2
        assert (own(ir, vi) - ir).square().mean() < (own(vi, ir) - ir).square().mean()


@pytest.mark.parametrize("name", ["datfuse", "ydtr"])
def test_token_blocks_can_be_exported_for_any_batch(name):
    network = build_fusion(name).eval()
    batch = torch.export.Dim("batch", min=1, max=8)
    exported = torch.export.export(network, pair(8, 10, batch=2), dynamic_shapes=(({0: batch}, {0: batch}),))
    three = pair(8, 10, batch=3)
    torch.testing.assert_close(exported.module()(*three), network(*three))


@pytest.mark.parametrize("name", ["seafusion", "densefuse"])
def test_other_sources_are_refused(name):
    network = build_fusion(name)
    one = torch.rand(1, 1, 8, 8)
    with pytest.raises(metaloss.ShapeError, match="was built for 2 sources and given 3"):
        network(one, one, one)
    with pytest.raises(metaloss.ShapeError, match="takes grey sources"):
        network(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8))


@pytest.mark.slow
def test_cddfuse_is_what_its_equations_say():
    torch.manual_seed(3)
    parts = {part: {key: value.double() for key, value in state.items()} for part, state in cddfuse_parts().items()}
    from metaloss_fusion.cddfuse import CDDFuse, from_published

    network = CDDFuse().double().eval()
    flat = {f"{part}.{key}": value for part, state in parts.items() for key, value in state.items()}
    network.load_state_dict(from_published(flat))
    sources = pair(20, 26, batch=2, dtype=torch.float64)
    with torch.no_grad():
        difference = (network(*sources) - cddfuse_reference.fuse(parts, *sources)).abs().max()
    assert float(difference) < 1e-12
    assert in_parallel(parts)["BaseFuseLayer"].keys() == {f"module.{key}" for key in parts["BaseFuseLayer"]}


@pytest.mark.parametrize("normalised", [True, False])
def test_ifcnn_is_the_network_of_rgb_images_that_its_paper_says(normalised):
    for scheme, merge in (("max", torch.maximum), ("sum", torch.add), ("mean", lambda a, b: (a + b) / 2)):
        network = build_fusion("ifcnn", scheme=scheme, normalised=normalised).double().eval()
        given = _IMAGENET if normalised else ((0, 0, 0), (1, 1, 1))
        mean, deviation = (torch.tensor(rgb, dtype=torch.float64).view(3, 1, 1) for rgb in given)
        sources = pair(15, 18, dtype=torch.float64)
        features = []
        for source in sources:
            x = nn.functional.pad((source.repeat(1, 3, 1, 1) - mean) / deviation, (3,) * 4, mode="replicate")
            features.append(_replicated(network.conv2, nn.functional.conv2d(x, network.conv1.weight)))
        rgb = network.conv4(_replicated(network.conv3, merge(*features))) * deviation + mean
        assert torch.allclose(network(*sources), rgb.mean(1, keepdim=True), rtol=0, atol=1e-12)
    with pytest.raises(metaloss.ConfigError, match=r"scheme='l1'.*max"):
        build_fusion("ifcnn", scheme="l1")


def test_other_ranges_inside():
    plain, symmetric = build_fusion("u2fusion"), build_fusion("u2fusion", symmetric=True)
    symmetric.load_state_dict(plain.state_dict())
    ir, vi = pair(9, 8)
    assert torch.allclose(symmetric(ir, vi), plain(2 * ir - 1, 2 * vi - 1) / 2 + 0.5, rtol=0, atol=1e-6)
    given = plain.metaloss_record["arguments"], symmetric.metaloss_record["arguments"]
    assert given == ({}, {"symmetric": True})


_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def _replicated(layer, x):
    return layer["bn"](layer["conv"](nn.functional.pad(x, (1,) * 4, mode="replicate"))).relu()


def test_tardal_on_the_range_of_its_authors_code():
    halved, plain = build_fusion("tardal").eval(), build_fusion("tardal", halved=False).eval()
    plain.load_state_dict(halved.state_dict())
    ir, vi = torch.rand(2, 1, 1, 12, 17)
    assert torch.allclose(plain(ir, vi) / 2 + 0.5, halved(ir, vi), rtol=0, atol=1e-6)
    assert plain.metaloss_record["arguments"] == {"halved": False}
