"""Colour by bands: each band by itself, the mean of the three values; SF of the bands side by side."""

import pytest
import torch
from reference import sf

from metaloss.errors import ShapeError
from metaloss.metrics import CONVENTIONS, METRICS, Entropy, Qabf, evaluate, fusion_metrics, spatial_frequency

NAMES = [name for name, info in METRICS.items() if not info.needs_network]
BY_BANDS = [name for name, rules in CONVENTIONS.items() if rules.colour == "bands"]
BY_LUMA = [name for name, rules in CONVENTIONS.items() if rules.colour == "luma"]


SMALL = [name for name in NAMES if METRICS[name].min_side <= 61]


@pytest.fixture
def coloured(scene):
    """Two scenes of 61x62: fused and second source in colour, first source grey."""
    return in_colour(scene, height=61, width=62)


def in_colour(scene, **size):
    fused, (infrared, visible) = scene(batch=6, **size)
    colour = [image.view(2, 3, *image.shape[-2:]) for image in (fused, visible)]
    return colour[0], (infrared[:2], colour[1])


def test_vifb_alone_measures_bands():
    assert BY_BANDS == ["vifb"]
    assert "band by band" in CONVENTIONS["vifb"].of_colour
    assert all("luma" in CONVENTIONS[name].of_colour for name in BY_LUMA)


@pytest.mark.parametrize("name", [name for name in NAMES if not METRICS[name].joins_bands])
def test_a_value_is_the_mean_of_its_bands(scene, name):
    fused, (infrared, visible) = in_colour(scene, **({"height": 61, "width": 62} if name in SMALL else {}))
    given = evaluate(fused, (infrared, visible), convention="vifb", metrics=[name])[name]
    bands = [
        evaluate(fused[:, k : k + 1], (infrared, visible[:, k : k + 1]), convention="vifb", metrics=[name])[name]
        for k in range(3)
    ]
    assert given.shape == (2,)
    torch.testing.assert_close(given, torch.stack(bands).mean(0), rtol=1e-12, atol=0)
    repeated = evaluate(fused, (infrared.expand(-1, 3, -1, -1), visible), convention="vifb", metrics=[name])[name]
    torch.testing.assert_close(repeated, given)


def test_sf_is_that_of_the_bands_side_by_side(coloured):
    fused, sources = coloured
    expected = [sf(torch.cat(list(image), dim=-1).numpy(), [], by_pixels=True) for image in fused]
    given = evaluate(fused, sources, convention="vifb", metrics=["SF"])["SF"]
    assert given.tolist() == pytest.approx(expected, rel=1e-12)
    apart = torch.stack([spatial_frequency(fused[:, k : k + 1], convention="vifb") for k in range(3)]).mean(0)
    assert (given / apart - 1).abs().min() > 1e-3, "the seams can be seen"


def test_a_grey_image_has_no_seams_whatever_its_sources(coloured):
    fused, sources = coloured
    grey = fused[:, :1]
    alone = spatial_frequency(grey, convention="vifb")
    assert torch.equal(evaluate(grey, sources, convention="vifb", metrics=["SF"])["SF"], alone)
    assert alone.tolist() == pytest.approx([sf(image[0].numpy(), [], by_pixels=True) for image in grey])


@pytest.mark.slow
def test_functions_give_what_evaluate_gives(coloured):
    fused, sources = coloured
    values = evaluate(fused, sources, convention="vifb", metrics=SMALL)
    for name, value in values.items():
        arguments = (fused, sources) if METRICS[name].needs_sources else (fused,)
        torch.testing.assert_close(METRICS[name].function(*arguments, convention="vifb"), value, msg=name)


@pytest.mark.slow
def test_colour_in_parts_is_colour_at_once(coloured, monkeypatch):
    fused, sources = coloured
    together = evaluate(fused, sources, convention="vifb", metrics=SMALL)
    monkeypatch.setattr("metaloss.metrics.images._CPU_PIXELS", 1)
    torch.testing.assert_close(evaluate(fused, sources, convention="vifb", metrics=SMALL), together)


def test_classes_count_images_and_not_bands(coloured):
    fused, sources = coloured
    for metric in (Entropy(convention="vifb"), Qabf(convention="vifb")):
        metric.update(fused, sources)
        assert metric.count == 2
        values = evaluate(fused, sources, convention="vifb", metrics=[metric.name])[metric.name]
        torch.testing.assert_close(metric.compute(), values.mean())
    collection = fusion_metrics(["SF"], convention="vifb")
    collection.update(fused, sources)
    torch.testing.assert_close(collection.compute()["SF"], spatial_frequency(fused, convention="vifb").mean())


def test_the_gradient_reaches_every_band(coloured):
    fused, sources = coloured
    fused = fused.clone().requires_grad_()
    value = evaluate(fused, sources, convention="vifb", metrics=["SF"])["SF"].sum()
    (gradient,) = torch.autograd.grad(value, fused)
    assert (gradient.abs().amax((-2, -1)) > 0).all()


@pytest.mark.parametrize("convention", BY_LUMA)
def test_where_luma_is_measured_colour_is_refused_with_advice(coloured, convention):
    fused, sources = coloured
    with pytest.raises(ShapeError, match=r"expected grey images \(B, 1, H, W\); take the luma .*'vifb'"):
        evaluate(fused, sources, convention=convention)
    with pytest.raises(ShapeError, match="source 1 has shape"):
        evaluate(fused[:, :1], sources, convention=convention)


@pytest.mark.parametrize("shape", [(2, 2, 61, 62), (2, 4, 61, 62), (61, 62), (1, 3, 61, 62), (2, 3, 61, 61)])
def test_other_shapes(coloured, shape):
    _, sources = coloured
    with pytest.raises(ShapeError, match="fused has"):
        evaluate(torch.zeros(shape), sources, convention="vifb")
