import subprocess
import sys

import pytest
import torch

from metaloss.errors import ConfigError, ShapeError
from metaloss.metrics import METRICS, evaluate, metric_info


def resize(image, side):
    return torch.nn.functional.interpolate(image, (side, side), mode="bilinear", align_corners=False)


NAMES = ["EN", "SD", "SF", "AG", "MI", "CC", "SCD", "MSE", "PSNR", "VIF", "Qabf", "SSIM", "MS-SSIM", "LPIPS", "Qcv"]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "LPIPS"])
def test_the_direction_is_that_of_a_better_image(name):
    """Better: structure instead of a nearly flat image, where the sources do not count; noise less, where they do."""
    info, generator = metric_info(name), torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 2, 24, 24, generator=generator)
    sources = [255 * image for image in resize(coarse, 192).split(1, dim=1)]
    fused = (sources[0] + sources[1]) / 2
    noise = 80 * torch.randn(fused.shape, generator=generator)
    worse = (fused + noise).clamp(0, 255) if info.needs_sources else 128 + 0.05 * (fused - 128)
    better, less = (float(evaluate(image.round(), sources, metrics=[name])[name]) for image in (fused, worse))
    assert (better > less) == (info.direction == "up")
    assert better != less
    assert info.arrow == ("↑" if better > less else "↓")
    assert info.higher_is_better == (better > less)


def test_lpips_alone_needs_a_network():
    assert [name for name, info in METRICS.items() if info.optional] == ["LPIPS"]
    assert METRICS["LPIPS"].direction == "down"  # a distance
    assert sorted(METRICS) == sorted(NAMES)


def test_evaluate_gives_what_the_functions_give(scene):
    fused, sources = scene(batch=2, dtype=torch.float32)
    values = evaluate(fused, sources, convention="vifb")
    assert list(values) == [name for name in NAMES if name != "LPIPS"]
    for name, value in values.items():
        info = METRICS[name]
        arguments = (fused, sources) if info.needs_sources else (fused,)
        torch.testing.assert_close(info.function(*arguments, convention="vifb"), value)
        assert value.shape == (2,)


def test_evaluate_gives_only_what_is_asked_for(scene):
    assert list(evaluate(*scene(), metrics=["Qabf", "EN"])) == ["Qabf", "EN"]


def test_evaluate_refuses_unknown_metrics_and_a_missing_network(scene):
    fused, sources = scene()
    with pytest.raises(ConfigError, match=r"metric 'Qab' is not known: .*did you mean 'Qabf'"):
        evaluate(fused, sources, metrics=["Qab"])
    with pytest.raises(ConfigError, match="LPIPS needs a network"):
        evaluate(fused, sources, metrics=["LPIPS"])


def test_small_images_leave_nan_where_a_metric_is_not_defined(scene):
    fused, sources = scene(batch=2, height=40, width=60)
    values = evaluate(fused, sources)
    undefined = [name for name, value in values.items() if value.isnan().all()]
    assert undefined == ["VIF", "MS-SSIM"]
    assert all(value.isfinite().all() for name, value in values.items() if name not in undefined)
    with pytest.raises(ShapeError, match="VIF is not defined for images of 40x60"):
        evaluate(fused, sources, metrics=["VIF"])


def test_min_side_is_where_each_metric_begins():
    for info in METRICS.values():
        if info.optional:
            continue
        image = torch.arange(info.min_side**2, dtype=torch.float32).remainder(256).view(1, 1, info.min_side, -1)
        for convention in ("tdfusion", "vifb"):
            assert evaluate(image, [image, image], metrics=[info.name], convention=convention)[info.name].shape == (1,)


@pytest.mark.slow
def test_torchmetrics_is_imported_when_a_class_is_asked_for():
    code = (
        "import sys, metaloss.metrics as metrics\n"
        "before = 'torchmetrics' in sys.modules\n"
        "metrics.Entropy\n"
        "print(before, 'torchmetrics' in sys.modules, all(hasattr(metrics, name) for name in metrics.__all__),"
        " hasattr(metrics, 'Entropi'))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True", "True", "False"]
