"""Wrong shapes and ranges are refused, with both values in the message."""

import pytest
import torch

from metaloss.errors import ConfigError, DataError, ShapeError
from metaloss.metrics import (
    METRICS,
    entropy,
    evaluate,
    get_convention,
    multiscale_structural_similarity,
    spatial_frequency,
    structural_similarity,
    visual_information_fidelity,
)

WITH_SOURCES = [info for info in METRICS.values() if info.needs_sources and not info.optional]
OF_THE_FUSED = [info for info in METRICS.values() if not info.needs_sources]


@pytest.fixture
def image(scene):
    return scene(dtype=torch.float32)[0]


@pytest.mark.parametrize("info", WITH_SOURCES, ids=lambda info: info.name)
def test_every_metric_checks_its_input(image, info):
    with pytest.raises(ShapeError, match="1 source given: a fusion metric needs at least two"):
        info.function(image, [image])
    with pytest.raises(ShapeError, match=r"source 1 has shape \(1, 1, 181, 202\), fused has \(1, 1, 181, 203\)"):
        info.function(image, [image, image[..., :-1]])
    with pytest.raises(DataError, match=r"source 0 has values from .* to 256: expected finite values in 0-255"):
        info.function(image, [image.clone().index_fill_(-1, torch.tensor([0]), 256.0), image])
    with pytest.raises(ConfigError, match=r"convention='tdfussion'.*did you mean 'tdfusion'"):
        info.function(image, [image, image], convention="tdfussion")


@pytest.mark.parametrize("info", OF_THE_FUSED, ids=lambda info: info.name)
def test_metrics_of_the_fused_image_check_it(image, info):
    with pytest.raises(ShapeError, match=r"fused has shape \(1, 3, 181, 203\): expected grey images"):
        info.function(image.expand(-1, 3, -1, -1))
    with pytest.raises(DataError, match=r"fused has values from -1 to"):
        info.function(image - image.amin() - 1)
    with pytest.raises(ConfigError, match="choose one of"):
        info.function(image, convention="mine")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite(image, value):
    broken = image.clone()
    broken[..., 3, 3] = value
    with pytest.raises(DataError, match="finite"):
        entropy(broken)


def test_images_in_the_unit_range_are_not_rescaled(image):
    unit = image / 255
    with pytest.raises(DataError, match="multiply by 255"):
        entropy(unit)
    with pytest.raises(DataError, match=r"source 0 has fractional values .* multiply by 255"):
        evaluate(unit, [unit, unit])


def test_dark_images_are_not_taken_for_the_unit_range(image):
    dark = (image > 100).float()
    assert evaluate(dark, [dark, dark], metrics=["EN"])["EN"].item() > 0
    # A network that collapsed is a poor one, not an error.
    assert evaluate(image / 1000, [image, image], metrics=["SD"])["SD"].item() > 0


@pytest.mark.parametrize("shape", [(181, 203), (1, 181, 203), (1, 1, 1, 181, 203), (1, 2, 181, 203)])
def test_other_shapes(shape):
    with pytest.raises(ShapeError, match="expected grey images"):
        entropy(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(0, 1, 8, 8), (1, 1, 0, 8)])
def test_empty_batches(shape):
    with pytest.raises(ShapeError, match="no pixel"):
        entropy(torch.zeros(shape))


def test_images_that_are_too_small():
    with pytest.raises(ShapeError, match="SF is not defined for images of 1x8 pixels: it needs at least 2x2"):
        spatial_frequency(torch.zeros(1, 1, 1, 8))
    for function, side in (
        (structural_similarity, 7),
        (visual_information_fidelity, 41),
        (multiscale_structural_similarity, 176),
    ):
        small, fits = torch.zeros(1, 1, side - 1, side), torch.zeros(1, 1, side, side)
        with pytest.raises(ShapeError, match=f"needs at least {side}x{side}"):
            function(small, [small, small])
        assert function(fits, [fits, fits]).item() == pytest.approx(1)


def test_get_convention():
    assert get_convention("vifb").name == "vifb"
    with pytest.raises(ConfigError, match=r"convention='linfen'.*did you mean 'linfeng'"):
        get_convention("linfen")
