"""LPIPS with a backbone that was never trained: the same arithmetic, no download."""

import pytest
import torch

from metaloss.errors import CheckpointError, ConfigError, ShapeError
from metaloss.metrics import (
    METRIC_CLASSES,
    LearnedPerceptualSimilarity,
    evaluate,
    fusion_metrics,
    learned_perceptual_similarity,
    load_lpips,
)

torchvision = pytest.importorskip("torchvision")


@pytest.fixture(scope="module")
def features():
    torch.manual_seed(5)
    return torchvision.models.alexnet(weights=None).features.eval()


@pytest.fixture(scope="module")
def weights(features, tmp_path_factory):
    path = tmp_path_factory.mktemp("lpips") / "alexnet.pth"
    # Without the classifier, which LPIPS does not use.
    torch.save(features.state_dict(prefix="features."), path)
    return path


@pytest.fixture(scope="module")
def network(weights):
    return load_lpips(weights)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("LPIPS must not download")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", refuse)
    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)


def by_hand(layers, heads, fused, source):
    shift = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
    features = [(image.expand(-1, 3, -1, -1) / 127.5 - 1 - shift) / scale for image in (fused, source)]
    total = 0.0
    for place, layer in enumerate(layers):
        features = [layer(feature) for feature in features]
        if isinstance(layer, torch.nn.ReLU):
            features = [feature.clone() for feature in features]
            first, second = (feature / feature.square().sum(1, keepdim=True).add(1e-8).sqrt() for feature in features)
            head = heads[{1: 0, 4: 1, 7: 2, 9: 3, 11: 4}[place]]
            total += ((first - second).square() * head.view(1, -1, 1, 1)).sum(1).mean((1, 2))
    return total


def test_against_the_definition(scene, network, features):
    fused, sources = scene(batch=2, height=70, width=96, dtype=torch.float32)
    heads = [getattr(network, f"lin{place}").model[-1].weight.flatten() for place in range(5)]
    with torch.no_grad():
        expected = sum(by_hand(features, heads, fused, source) for source in sources) / 2
        given = learned_perceptual_similarity(fused, sources, network=network)
    assert given.min() > 0
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-7)


def test_equal_images_and_order(scene, network):
    fused, sources = scene(height=70, width=96, sources=3, dtype=torch.float32)
    assert learned_perceptual_similarity(fused, [fused, fused], network=network).item() == 0
    torch.testing.assert_close(
        learned_perceptual_similarity(fused, sources, network=network),
        learned_perceptual_similarity(fused, sources[::-1], network=network),
    )


@pytest.mark.slow
def test_everywhere_else(scene, network, weights):
    fused, sources = scene(batch=2, height=70, width=96, dtype=torch.float32)
    expected = learned_perceptual_similarity(fused, sources, network=network)
    values = evaluate(fused, sources, metrics=["LPIPS", "EN"], lpips=network)
    torch.testing.assert_close(values["LPIPS"], expected)
    metric = LearnedPerceptualSimilarity(weights=str(weights))
    metric.train()
    torch.testing.assert_close(metric(fused, sources), expected.mean())
    collection = fusion_metrics(["LPIPS"], lpips_weights=weights)
    assert isinstance(collection["LPIPS"], METRIC_CLASSES["LPIPS"])


def test_the_gradient_reaches_the_image(scene, network):
    fused, sources = scene(height=70, width=96, dtype=torch.float32)
    fused = fused.requires_grad_()
    learned_perceptual_similarity(fused, sources, network=network).sum().backward()
    assert fused.grad.abs().sum() > 0


@pytest.mark.parametrize("backbone", ["squeeze", pytest.param("vgg", marks=pytest.mark.slow)])
def test_other_backbones(scene, tmp_path, backbone):
    models = torchvision.models
    layers = models.squeezenet1_1().features if backbone == "squeeze" else models.vgg.make_layers(models.vgg.cfgs["D"])
    state = layers.state_dict(prefix="features.")
    torch.save(state, tmp_path / "weights.pth")
    network = load_lpips(tmp_path / "weights.pth", backbone=backbone)
    fused, sources = scene(height=64, width=64, dtype=torch.float32)
    assert learned_perceptual_similarity(fused, sources, network=network).item() > 0
    own = network.state_dict()
    assert torch.equal(own[next(key for key in own if key.startswith("net."))], state["features.0.weight"])


@pytest.mark.slow
def test_files_that_cannot_be_used(weights, tmp_path):
    with pytest.raises(CheckpointError, match="there is no such file"):
        load_lpips(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(CheckpointError, match="cannot be read as a PyTorch state dict"):
        load_lpips(tmp_path / "text.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match="holds a list"):
        load_lpips(tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match=r"has no features.* that fits the LPIPS backbone 'squeeze'"):
        load_lpips(weights, backbone="squeeze")
    with pytest.raises(ConfigError, match=r"backbone='alexnet'.*did you mean 'alex'"):
        load_lpips(weights, backbone="alexnet")


def test_an_absent_torchvision_is_named(weights, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install torchvision"):
        load_lpips(weights)


def test_small_images(scene, network):
    fused, sources = scene(height=63, width=96, dtype=torch.float32)
    with pytest.raises(ShapeError, match="LPIPS is not defined"):
        learned_perceptual_similarity(fused, sources, network=network)
