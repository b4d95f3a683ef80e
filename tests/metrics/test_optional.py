"""The optional metrics against their papers' formulas window by window, and what must hold for each."""

import functools
import math

import numpy as np
import pytest
import reference_optional as reference
import torch
from reference_optional import REFERENCES
from torch.nn.functional import interpolate

from metaloss.errors import ShapeError
from metaloss.metrics import CONVENTIONS, METRICS, evaluate, feature_information, features

NAMES = [name for name, info in METRICS.items() if info.optional and not info.needs_network]
SMOOTH = [name for name in NAMES if METRICS[name].differentiable]


def measure(name, fused, sources, convention="tdfusion"):
    return evaluate(fused, sources, metrics=[name], convention=convention)[name]


def make(batch=1, height=46, width=49, sources=2, dtype=torch.float64, seed=3):
    """Sources that are alike in some places and not in others, with weak edges and strong ones."""
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape):
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    common = interpolate(noise(batch, 1, 6, 7), size=(height, width), mode="bilinear")
    own = interpolate(noise(batch, sources, 9, 8), size=(height, width), mode="nearest")
    part = interpolate(noise(batch, 1, 3, 3), size=(height, width), mode="bilinear") > 0.5
    images = 30 + 120 * common + torch.where(part, 60 * own, 4 * own) + 5 * noise(batch, sources, height, width)
    images = images.round().clamp(0, 255).to(dtype).split(1, dim=1)
    fused = sum((0.8 if place == 0 else 0.3) * image for place, image in enumerate(images))
    return (fused + 3 * noise(batch, 1, height, width).to(dtype) - 4).round().clamp(0, 255), images


def arrays(fused, sources):
    return fused[0, 0].double().numpy(), [source[0, 0].double().numpy() for source in sources]


CHANGED = {
    ("linfeng", "RMSE"): lambda fused, sources: reference.rmse(fused, sources) / 255,
    ("linfeng", "FMI_pixel"): functools.partial(reference.fmi_pixel, binary=True),
    ("vifb", "RMSE"): functools.partial(reference.rmse, by_pixels=True),
    ("vifb", "Qcb"): functools.partial(reference.qcb, stretch=True),
    ("vifb", "TE"): functools.partial(reference.te, stretch=True, exchanged=True),
    ("vifb", "FMI_pixel"): functools.partial(reference.fmi_pixel, binary=True),
    ("vifb", "Qs"): functools.partial(reference.qs, ssim=True),
    ("vifb", "Qw"): functools.partial(reference.qw, ssim=True, of_edges=True),
    ("vifb", "Qe"): functools.partial(reference.qe, ssim=True),
    ("clean", "Qe"): functools.partial(reference.qe, boundary="symm"),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_every_metric_against_the_reference(name):
    fused, sources = make()
    assert measure(name, fused, sources).item() == pytest.approx(REFERENCES[name](*arrays(fused, sources)), rel=1e-10)


@pytest.mark.parametrize(("convention", "name"), CHANGED)
def test_what_a_convention_changes_against_the_reference(convention, name):
    fused, sources = make(height=24, width=27)
    value = measure(name, fused, sources, convention).item()
    assert value == pytest.approx(CHANGED[convention, name](*arrays(fused, sources)), rel=1e-9)
    assert value != pytest.approx(measure(name, fused, sources).item(), rel=1e-4)


@pytest.mark.parametrize("name", REFERENCES)
def test_three_sources_against_the_reference(name):
    side = 44 if name == "MEF-SSIM" else 21
    fused, sources = make(height=side, width=side, sources=3)
    assert measure(name, fused, sources).item() == pytest.approx(REFERENCES[name](*arrays(fused, sources)), rel=1e-10)


def test_fmi_of_wavelets_against_the_reference():
    fused, sources = make(height=61, width=62)
    first, others = arrays(fused, sources)
    expected = [reference.wavelet(image, features._LOW_PASS) for image in (first, *others)]
    coefficients = features.wavelet_coefficients(torch.stack([fused, *sources])[:, :, 0])
    torch.testing.assert_close(coefficients[:, 0], torch.from_numpy(np.stack(expected)), rtol=0, atol=1e-9)
    # Its 14400 windows take long in plain loops: the middle of the approximation, and corners of the details.
    model = feature_information._information(coefficients[..., 50:75, 50:75], fused.dtype)
    parts = [image[50:75, 50:75] for image in expected]
    assert model.item() == pytest.approx(REFERENCES["FMI_pixel"](parts[0], parts[1:]), rel=1e-9)
    whole = feature_information._information(coefficients, fused.dtype)
    torch.testing.assert_close(measure("FMI_w", fused, sources), whole)


def test_edges_against_the_reference():
    fused, _ = make(height=120, width=121)
    marked = features.edge_map(fused)[0, 0]
    torch.testing.assert_close(marked, torch.from_numpy(reference.edges(fused[0, 0].numpy())))
    assert 200 < marked.sum() < 2000


def test_the_taps_are_those_of_the_discrete_meyer_wavelet():
    low = torch.tensor(features._LOW_PASS, dtype=torch.float64)
    # Meyer's filter by its definition: the spectrum is 1 below pi / 3, and falls to 0 at 2 pi / 3.
    frequency = torch.linspace(0, math.pi, 20001, dtype=torch.float64)
    rise = (3 * frequency / math.pi - 1).clamp(0, 1)
    spectrum = torch.cos(math.pi / 2 * rise**4 * (35 - 84 * rise + 70 * rise**2 - 20 * rise**3))
    places = torch.arange(-30, 31, dtype=torch.float64)
    exact = torch.trapezoid(spectrum * torch.cos(places[:, None] * frequency), frequency) * math.sqrt(2) / math.pi
    torch.testing.assert_close(low[1:], exact, rtol=0, atol=2e-3)
    assert low.sum().item() == pytest.approx(math.sqrt(2), abs=1e-8)
    # The finite filter is orthogonal to its even shifts but for some thousandths.
    for shift in range(0, 60, 2):
        overlap = (low[shift:] * low[: len(low) - shift]).sum().item()
        assert overlap == pytest.approx(1 if shift == 0 else 0, abs=3e-3)


EQUAL = {
    **dict.fromkeys(("CE", "RMSE", "Nabf"), 0),
    **dict.fromkeys(("Qcb", "FMI_pixel", "FMI_gradient", "FMI_dct", "FMI_w"), 1),
    **dict.fromkeys(("Qs", "Qw", "Qe", "Qy", "Qc", "MEF-SSIM"), 1),
    "NMI": 2,
}


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("name", EQUAL)
def test_a_fused_image_that_equals_its_sources(name, convention):
    image, _ = make(height=61, width=64)
    assert measure(name, image, [image, image], convention).item() == pytest.approx(EQUAL[name], abs=1e-9)


def test_a_fused_image_that_equals_its_sources_by_the_other_metrics():
    image, _ = make(height=61, width=64)
    values = {name: measure(name, image, [image, image]).item() for name in ("TE", "QNCIE", "Qp")}
    frequencies = torch.bincount(image.flatten().long(), minlength=256).double() / image.numel()
    there = frequencies[frequencies > 0]
    assert values["TE"] == pytest.approx(2 * ((there**0.15).sum().item() - 1) / 0.85)
    # Three images that say all of each other: one eigenvalue 1 + 2 h, two 1 - h, with their entropy h.
    h = -(there * there.log()).sum().item() / math.log(256)
    shares = [(1 + 2 * h) / 3, (1 - h) / 3, (1 - h) / 3]
    assert values["QNCIE"] == pytest.approx(1 + sum(share * math.log(share, 256) for share in shares))
    # The fused image's map is not cleared where there is no feature, the sources' are.
    assert 0.7 < values["Qp"] < 1


@pytest.mark.parametrize(
    ("level", "dtype", "convention"),
    [
        (0.0, torch.float32, "tdfusion"),
        (91.3, torch.float32, "clean"),
        (91.3, torch.float64, "linfeng"),
        (91.3, torch.float32, "vifb"),
        (255.0, torch.float32, "tdfusion"),
    ],
)
def test_constant_images_give_defined_values(level, dtype, convention):
    _, (image, _) = make(height=61, width=61, dtype=dtype)
    flat, other = torch.full_like(image, level), torch.full_like(image, 40.0)
    for name in NAMES:
        values = {
            what: measure(name, *images, convention).item()
            for what, images in {
                "all": (flat, [flat, flat]),
                "fused": (flat, [image, image]),
                "source": (image, [image, flat]),
                "apart": (flat, [other, other]),
            }.items()
        }
        assert all(math.isfinite(value) for value in values.values()), (name, values)
        expected = {**EQUAL, "NMI": 0, "TE": 0, "EI": 0, "Qp": 1, "QNCIE": 1 - math.log(3, 256)}[name]
        assert values["all"] == pytest.approx(expected, abs=1e-5), name


def test_a_shift_of_the_grey_levels():
    fused, sources = make()
    fused, sources = fused.clamp(20, 200), [source.clamp(20, 200) for source in sources]
    shifted = fused + 17, [source + 17 for source in sources]
    for name in set(NAMES) - {"FMI_w", "Qcb", "Qs", "Qw", "Qe", "Qy", "Qc", "FMI_dct"}:
        before, after = measure(name, fused, sources).item(), measure(name, *shifted).item()
        assert after == pytest.approx(before, rel=1e-9), name
    assert measure("RMSE", fused + 17, [fused, fused]).item() == pytest.approx(17)
    assert measure("MEF-SSIM", fused + 17, [fused, fused]).item() == pytest.approx(1)


def test_a_fused_image_that_is_moved_by_pixels_is_worse():
    image, _ = make(height=64, width=64)
    moved = image.roll((2, 1), (-2, -1))
    for name in ("Qcb", "Qs", "Qw", "Qe", "Qy", "Qc", "Qp", "MEF-SSIM", "NMI", "TE", "QNCIE"):
        assert measure(name, moved, [image, image]) < 0.98 * measure(name, image, [image, image]), name
    assert measure("CE", moved, [image, image]).item() == 0


def test_known_values():
    half = torch.full((1, 1, 4, 4), 200.0, dtype=torch.float64)
    half[..., 2:] = 50
    quarter = half.clone()
    quarter[..., 2:, :2] = 50
    # p = 1/2, 1/2 in the sources, 1/4, 3/4 in the fused image.
    assert measure("CE", quarter, [half, half]).item() == pytest.approx(0.5 * math.log2(2) + 0.5 * math.log2(2 / 3))
    # A step of 150: four times that in both columns at its sides, nothing in the others.
    assert measure("EI", half, [half, half]).item() == pytest.approx(4 * 150 / 2)
    assert measure("RMSE", half, [half, half + 3]).item() == pytest.approx(1.5)
    assert measure("NMI", half, [half, half.mT.contiguous()]).item() == pytest.approx(1)
    # Dependent: p_ij^q / (p_i p_j)^(q-1) = 2^(q-2) each; independent: nothing.
    assert measure("TE", half, [half, half.mT.contiguous()]).item() == pytest.approx((2**0.85 - 1) / 0.85)


def test_levels_that_an_image_lacks_are_left_out_of_ce():
    dark, light = torch.full((1, 1, 4, 4), 10.0), torch.full((1, 1, 4, 4), 90.0)
    assert measure("CE", dark, [light, light]).item() == 0
    mixed = dark.clone()
    mixed[..., :2] = 90
    assert measure("CE", dark, [mixed, mixed]).item() == pytest.approx(-0.5)


def test_nabf_counts_edges_that_no_source_has():
    fused, sources = make()
    flat = torch.full_like(fused, 80.0)
    assert measure("Nabf", flat, sources).item() == 0
    assert measure("Nabf", fused, [flat, flat]).item() > 0.2


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_equals_a_loop(name, monkeypatch):
    monkeypatch.setattr("metaloss.metrics.images._CPU_PIXELS", 10**6)
    fused, sources = make(batch=3, height=61, width=64, dtype=torch.float32)
    batch = measure(name, fused, sources)
    assert batch.shape == (3,)
    assert batch.dtype == torch.float32
    for item in range(3):
        alone = measure(name, fused[item : item + 1], [source[item : item + 1] for source in sources])
        torch.testing.assert_close(batch[item : item + 1], alone)


@pytest.mark.parametrize("convention", ["tdfusion", "vifb"])
def test_the_order_of_the_sources_does_not_matter(convention):
    fused, sources = make(height=61, width=61, sources=3, dtype=torch.float32)
    for name in NAMES:
        there, back = (measure(name, fused, images, convention) for images in (sources, sources[::-1]))
        torch.testing.assert_close(there, back, msg=name)


@pytest.mark.parametrize("convention", ["tdfusion", "vifb"])
def test_float32_within_a_thousandth_of_float64(convention):
    fused, sources = make(height=91, width=94, dtype=torch.float32)
    for name in NAMES:
        single = measure(name, fused, sources, convention)
        double = measure(name, fused.double(), [source.double() for source in sources], convention)
        torch.testing.assert_close(single.double(), double, rtol=1e-3, atol=0, msg=name)


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_against_finite_differences(name):
    side = 44 if name == "MEF-SSIM" else 14
    fused, sources = make(height=side, width=side)
    # Noise, since edges jump where a gradient stands exactly upright.
    noise = torch.rand(fused.shape, dtype=fused.dtype, generator=torch.Generator().manual_seed(1))
    fused = (fused + noise).clamp(1, 254).requires_grad_()

    def value(image):
        return measure(name, image, sources)

    if name != "MEF-SSIM":
        assert torch.autograd.gradcheck(value, fused, eps=1e-5, atol=1e-8, rtol=1e-3, fast_mode=True)
    (gradient,) = torch.autograd.grad(value(fused).sum(), fused)
    direction = noise - 0.5 + gradient / gradient.std()
    with torch.no_grad():
        numeric = (value(fused + 1e-6 * direction) - value(fused - 1e-6 * direction)) / 2e-6
    assert (gradient * direction).sum().item() == pytest.approx(numeric.item(), rel=1e-4)


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_stay_finite_where_images_are_flat(name):
    _, (image, _) = make()
    flat = torch.full_like(image, 100.0)
    for sources in ([flat, image], [flat, flat]):
        fused = flat.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(measure(name, fused, sources).sum(), fused)
        assert gradient.isfinite().all()


@pytest.mark.parametrize(
    ("name", "side", "convention"),
    [
        ("Nabf", 2, "tdfusion"),
        ("FMI_pixel", 3, "tdfusion"),
        ("FMI_gradient", 3, "tdfusion"),
        ("FMI_dct", 3, "tdfusion"),
        ("FMI_w", 61, "tdfusion"),
        ("Qs", 8, "tdfusion"),
        ("Qw", 8, "tdfusion"),
        ("Qe", 8, "tdfusion"),
        ("Qs", 11, "vifb"),
        ("Qw", 11, "vifb"),
        ("Qe", 11, "vifb"),
        ("Qy", 7, "tdfusion"),
        ("Qc", 7, "tdfusion"),
        ("Qp", 2, "tdfusion"),
        ("MEF-SSIM", 44, "tdfusion"),
    ],
)
def test_images_that_are_too_small(name, side, convention):
    fits, _ = make(height=side, width=side)
    assert measure(name, fits, [fits, fits], convention).isfinite().all()
    small, _ = make(height=side - 1, width=side)
    with pytest.raises(ShapeError, match=f"{name} is not defined .*: it needs at least {side}x{side}"):
        measure(name, small, [small, small], convention)
