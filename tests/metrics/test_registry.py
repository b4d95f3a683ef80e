import ast
import inspect
import pickle
import subprocess
import sys
import typing
from pathlib import Path

import pytest
import torch

from metaloss import metrics as package
from metaloss.errors import ConfigError, ShapeError
from metaloss.metrics import METRICS, evaluate, metric_info
from metaloss.metrics.images import Images
from metaloss.metrics.metric import metric_class
from metaloss.metrics.registry import fusion_metric


def resize(image, side):
    return torch.nn.functional.interpolate(image, (side, side), mode="bilinear", align_corners=False)


NAMES = ["EN", "SD", "SF", "AG", "MI", "CC", "SCD", "MSE", "PSNR", "VIF", "Qabf", "SSIM", "MS-SSIM", "LPIPS", "Qcv"]


@pytest.mark.parametrize("name", [name for name, info in METRICS.items() if not info.needs_network])
def test_the_direction_is_that_of_a_better_image(name):
    """Better: structure instead of a nearly flat image, where the sources do not count; noise less, where they do."""
    info, generator = metric_info(name), torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 2, 24, 24, generator=generator)
    sources = [255 * image for image in resize(coarse, 192).split(1, dim=1)]
    fused = 0.7 * sources[0] + 0.3 * sources[1]
    noise = 80 * torch.randn(fused.shape, generator=generator)
    worse = (fused + noise).clamp(0, 255) if info.needs_sources else 128 + 0.05 * (fused - 128)
    better, less = (float(evaluate(image.round(), sources, metrics=[name])[name]) for image in (fused, worse))
    assert (better > less) == (info.direction == "up")
    assert better != less
    assert info.arrow == ("↑" if better > less else "↓")
    assert info.higher_is_better == (better > less)


def test_lpips_alone_needs_a_network():
    assert [name for name, info in METRICS.items() if info.needs_network] == ["LPIPS"]
    assert METRICS["LPIPS"].direction == "down"  # a distance
    assert METRICS["LPIPS"].optional


def test_without_a_choice_the_metrics_and_their_order_are_those_of_the_csv():
    assert [name for name, info in METRICS.items() if not info.optional] == [name for name in NAMES if name != "LPIPS"]


@pytest.fixture
def brightness():
    """A metric of one's own, written once."""

    @fusion_metric("Bright", title="mean brightness", cls="Brightness", needs_sources=False, min_side=3, optional=True)
    def brightness(images: Images, rules) -> torch.Tensor:
        """Bright: how bright the fused image is; higher is better.

        The mean of its pixels.

        Convention:
            ``cddfuse`` measures
            the same.

        Returns:
            in grey levels.
        """
        return images.fused.mean((-2, -1))

    yield brightness
    del METRICS["Bright"]


def test_a_metric_written_once_is_everywhere(scene, brightness):
    fused, sources = scene(batch=2)
    expected = fused.mean((1, 2, 3))
    torch.testing.assert_close(brightness(fused, convention="cddfuse"), expected)
    torch.testing.assert_close(evaluate(fused, sources, metrics=["Bright"])["Bright"], expected)
    assert "Bright" not in evaluate(fused, sources)
    with pytest.raises(ShapeError, match="Bright is not defined for images of 2x9"):
        brightness(torch.zeros(1, 1, 2, 9))
    info = metric_info("Bright")
    assert (info.function, info.title, info.min_side) == (brightness, "mean brightness", 3)
    assert info.summary == "how bright the fused image is"
    metric = package.Brightness(convention="clean")
    metric.update(fused, sources)
    torch.testing.assert_close(metric.compute().double(), expected.mean())
    assert pickle.loads(pickle.dumps(metric)).convention == "clean"
    assert inspect.cleandoc(brightness.__doc__) == inspect.cleandoc(
        """Bright: how bright the fused image is; higher is better.

        The mean of its pixels.

        Args:
            fused: {fused}, at least 3x3 pixels.
            convention: ``cddfuse`` measures
                the same.

        Returns:
            Of shape (B,), in grey levels.

        Raises:
            ConfigError: an unknown convention.
            DataError: values outside 0-255.
            ShapeError: another shape or smaller images.
        """.replace("{fused}", "of shape (B, 1, H, W), or (B, 3, H, W) where the convention measures colour; 0-255")
    )
    with pytest.raises(ConfigError, match="metric 'Bright' is registered already"):
        fusion_metric("Bright", title="again", cls="Again")


@pytest.mark.parametrize("info", METRICS.values(), ids=lambda info: info.name)
def test_the_public_function_shows_itself(info):
    function = info.function
    assert getattr(package, function.__name__) is function
    assert pickle.loads(pickle.dumps(function)) is function
    parameters = inspect.signature(function).parameters
    keywords = ["network"] * info.needs_network + ["convention"]
    assert list(parameters) == ["fused", *["sources"] * info.needs_sources, *keywords]
    assert all(parameters[name].kind is inspect.Parameter.KEYWORD_ONLY for name in keywords)
    assert typing.get_type_hints(function)["return"] is torch.Tensor
    text = function.__doc__
    assert text.startswith(f"{info.name}: ")
    assert f"; {'higher' if info.higher_is_better else 'lower'} is better." in text.splitlines()[0]
    for section in ("Args:", "Returns:\n    Of shape (B,), ", "Raises:"):
        assert text.count(f"\n{section}") == 1
    for name in parameters:
        assert f"\n    {name}: " in text


@pytest.mark.parametrize("info", METRICS.values(), ids=lambda info: info.name)
def test_the_class_is_found_by_its_name(info):
    made = getattr(package, info.class_name)
    assert made is metric_class(info.name)
    assert (made.__name__, made.__module__) == (info.class_name, "metaloss.metrics")
    assert f"metaloss.metrics.{info.function.__name__}`" in made.__doc__
    assert pickle.loads(pickle.dumps(made)) is made
    assert info.class_name in package.__all__
    assert info.function.__name__ in package.__all__


def test_type_checkers_are_told_of_each_class():
    tree = ast.parse(Path(package.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    told = {name.asname for node in ast.walk(block) if isinstance(node, ast.ImportFrom) for name in node.names}
    assert told - {None} == {info.class_name for info in METRICS.values()}


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
        if info.needs_network:
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
