import pickle

import pytest
import torch
from torchmetrics import Metric, MetricCollection

from metaloss.errors import ConfigError
from metaloss.metrics import METRIC_CLASSES, METRICS, Entropy, Qabf, StructuralSimilarity, evaluate, fusion_metrics

NAMES = [name for name in METRIC_CLASSES if name != "LPIPS"]


def test_there_is_one_class_per_metric():
    assert list(METRIC_CLASSES) == list(METRICS)
    for name, metric in METRIC_CLASSES.items():
        assert issubclass(metric, Metric)
        assert metric.higher_is_better == METRICS[name].higher_is_better
        assert metric.is_differentiable == METRICS[name].differentiable


@pytest.mark.parametrize("name", NAMES)
def test_a_class_gives_the_mean_over_all_images(scene, name):
    fused, sources = scene(batch=3, dtype=torch.float32)
    metric = METRIC_CLASSES[name](convention="cddfuse")
    metric.update(fused[:1], [source[:1] for source in sources])
    metric.update(fused[1:], [source[1:] for source in sources])
    expected = evaluate(fused, sources, convention="cddfuse", metrics=[name])[name].mean()
    torch.testing.assert_close(metric.compute(), expected)
    metric.reset()
    torch.testing.assert_close(metric(fused, sources), expected)


def test_two_processes_merge_by_sums(scene):
    fused, sources = scene(batch=3, dtype=torch.float32)
    first, second, whole = Qabf(), Qabf(), Qabf()
    first.update(fused[:1], [source[:1] for source in sources])
    second.update(fused[1:], [source[1:] for source in sources])
    whole.update(fused, sources)
    first.merge_state(second)
    torch.testing.assert_close(first.compute(), whole.compute())


def test_a_metric_can_be_pickled_and_cloned(scene):
    fused, sources = scene(dtype=torch.float32)
    metric = StructuralSimilarity(convention="clean")
    metric.update(fused, sources)
    restored = pickle.loads(pickle.dumps(metric))
    assert restored.convention == "clean"
    torch.testing.assert_close(restored.compute(), metric.compute())
    assert metric.clone().convention == "clean"


def test_forward_keeps_the_gradient(scene):
    fused, sources = scene(dtype=torch.float32)
    fused = fused.requires_grad_()
    (gradient,) = torch.autograd.grad(StructuralSimilarity()(fused, sources), fused)
    assert gradient.abs().sum() > 0


def test_the_collection(scene):
    fused, sources = scene(batch=2, dtype=torch.float32)
    metrics = fusion_metrics(convention="linfeng")
    assert isinstance(metrics, MetricCollection)
    metrics.update(fused, sources)
    expected = evaluate(fused, sources, convention="linfeng")
    values = metrics.compute()
    assert set(values) == set(expected)
    for name, value in values.items():
        torch.testing.assert_close(value, expected[name].mean())


def test_the_collection_of_some(scene):
    metrics = fusion_metrics(["EN", "MS-SSIM"])
    metrics.update(*scene())
    assert set(metrics.compute()) == {"EN", "MS-SSIM"}


def test_wrong_settings():
    with pytest.raises(ConfigError, match="choose one of"):
        Entropy(convention="mine")
    with pytest.raises(ConfigError, match="LPIPS needs a network"):
        fusion_metrics(["LPIPS"])
    with pytest.raises(ConfigError, match="'XY' is not known"):
        fusion_metrics(["XY"])
