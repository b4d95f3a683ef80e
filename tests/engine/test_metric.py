import pytest
import torch

from metaloss.engine.metric import FusionMetric
from metaloss.errors import ConfigError
from metaloss.metrics import evaluate


def scenes(height, count=3):
    return [
        {"fused": torch.rand(1, height, 64), "sources": (torch.rand(1, height, 64), torch.rand(1, height, 64))}
        for _ in range(count)
    ]


def test_means_are_those_of_the_metrics_on_rounded_images():
    metric, samples = FusionMetric(convention="cddfuse"), scenes(48)
    metric.process(None, samples[:2])
    metric.process(None, samples[2:])
    values = metric.evaluate(3)
    assert sorted(values) == sorted(f"fusion/{name}" for name in ("EN", "SF", "SCD", "VIF", "Qabf", "SSIM"))

    def grey(image):
        return (image * 255).round().unsqueeze(0)

    alone = [
        evaluate(grey(s["fused"]), [grey(source) for source in s["sources"]], convention="cddfuse") for s in samples
    ]
    for name in ("EN", "VIF", "SSIM"):
        assert values[f"fusion/{name}"] == pytest.approx(sum(float(value[name]) for value in alone) / 3, rel=1e-6)


def test_what_small_images_do_not_define_is_left_out():
    metric = FusionMetric()
    metric.process(None, scenes(36, count=1))
    values = metric.evaluate(1)
    assert "fusion/VIF" not in values
    assert values["fusion/EN"] > 0


@pytest.mark.parametrize("settings", [{"metrics": ["SSIMM"]}, {"convention": "linfen"}])
def test_unknown_names(settings):
    with pytest.raises(ConfigError, match="did you mean"):
        FusionMetric(**settings)
