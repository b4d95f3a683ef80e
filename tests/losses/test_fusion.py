import itertools
import re

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

import metaloss
from metaloss.losses import LearnableFusionLoss, gradient_term, intensity_term, sobel

KERNEL = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]


def images(sources=2, size=(5, 6), batch=2, channels=1):
    fused = torch.rand(batch, channels, *size, dtype=torch.float64)
    return fused, tuple(torch.rand_like(fused) for _ in range(sources))


def weights_for(sources):
    return torch.rand(len(sources[0]), len(sources), *sources[0].shape[-2:], dtype=torch.float64).softmax(1)


def loop_sobel(image):
    """Zero-padded correlation, pixel by pixel: a pair (horizontal, vertical) for each pixel of a plane."""
    height, width = image.shape
    pairs = np.zeros((2, height, width))
    for y, x, dy, dx in itertools.product(range(height), range(width), (-1, 0, 1), (-1, 0, 1)):
        if 0 <= y + dy < height and 0 <= x + dx < width:
            pairs[0, y, x] += KERNEL[dy + 1][dx + 1] * image[y + dy, x + dx]
            pairs[1, y, x] += KERNEL[dx + 1][dy + 1] * image[y + dy, x + dx]
    return pairs


def loop_intensity(fused, sources, weights, form):
    """Eq. 2, pixel by pixel."""
    total = 0.0
    for b, c, y, x in np.ndindex(*fused.shape):
        for k, source in enumerate(sources):
            difference, weight = fused[b, c, y, x] - source[b, c, y, x], weights[b, k, y, x]
            total += weight * difference**2 if form == "weighted" else (weight * difference) ** 2
    return total / fused.size


def loop_gradient(fused, sources, weights, form):
    """Eq. 3, pixel by pixel."""
    total = 0.0
    for b, c in np.ndindex(*fused.shape[:2]):
        own, others = loop_sobel(fused[b, c]), [loop_sobel(source[b, c]) for source in sources]
        for y, x in np.ndindex(*fused.shape[2:]):
            mine, theirs = own[:, y, x], [other[:, y, x] for other in others]
            if form == "per_axis":
                total += sum(abs(mine[axis] - max((t[axis] for t in theirs), key=abs)) for axis in (0, 1))
            elif form == "magnitude":
                total += abs(np.abs(mine).sum() - max(np.abs(t).sum() for t in theirs))
            else:
                total += sum(weights[b, k, y, x] * np.abs(mine - t).sum() for k, t in enumerate(theirs))
    return total / fused.size


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("sources", [2, 3])
@pytest.mark.parametrize("form", ["weighted", "squared_weight"])
def test_intensity_against_loops(form, sources, channels):
    fused, given = images(sources, channels=channels)
    weights = weights_for(given)
    expected = loop_intensity(fused.numpy(), [s.numpy() for s in given], weights.numpy(), form)
    assert intensity_term(fused, given, weights, form).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("sources", [2, 3])
@pytest.mark.parametrize("form", ["per_axis", "magnitude", "learned"])
def test_gradient_against_loops(form, sources, channels):
    fused, given = images(sources, channels=channels)
    weights = weights_for(given)
    expected = loop_gradient(fused.numpy(), [s.numpy() for s in given], weights.numpy(), form)
    assert gradient_term(fused, given, weights, form).item() == pytest.approx(expected, rel=1e-12)


def test_sobel_against_scipy():
    image = torch.rand(2, 3, 9, 11, dtype=torch.float64)
    horizontal, vertical = sobel(image)
    for b, c in np.ndindex(2, 3):
        plane = image[b, c].numpy()
        for found, axis in ((horizontal, 1), (vertical, 0)):
            expected = ndimage.sobel(plane, axis=axis)
            np.testing.assert_allclose(found[b, c, 1:-1, 1:-1], expected[1:-1, 1:-1], atol=1e-13)
            np.testing.assert_allclose(found[b, c], ndimage.sobel(plane, axis=axis, mode="constant"), atol=1e-13)


def test_sobel_pads_with_zeros():
    horizontal, vertical = sobel(torch.ones(1, 1, 4, 4))
    assert horizontal[0, 0, 1].tolist() == [4, 0, 0, -4]
    assert vertical[0, 0, :, 1].tolist() == [4, 0, 0, -4]


def test_the_stronger_gradient_keeps_its_sign():
    falling = torch.linspace(1, 0, 6, dtype=torch.float64).expand(1, 1, 6, 6)
    flat = torch.zeros_like(falling)
    for sources in ((falling, flat), (flat, falling)):
        assert gradient_term(falling, sources, form="per_axis").item() == 0
        assert gradient_term(1 - falling, sources, form="per_axis").item() > 1


class Fixed(nn.Module):
    def __init__(self, proposed):
        super().__init__()
        self.proposed = proposed

    def forward(self, *sources):
        return self.proposed


@pytest.mark.parametrize("sources", [2, 3])
@pytest.mark.parametrize("intensity", ["weighted", "squared_weight"])
@pytest.mark.parametrize("gradient", ["per_axis", "magnitude", "learned"])
def test_module_equals_functions(gradient, intensity, sources):
    fused, given = images(sources)
    proposed = {"intensity": weights_for(given), "gradient": weights_for(given)}
    loss = LearnableFusionLoss(Fixed(proposed), alpha=0.3, intensity=intensity, gradient=gradient)
    terms = loss(fused, given)
    assert torch.equal(terms.intensity, intensity_term(fused, given, proposed["intensity"], intensity))
    assert torch.equal(terms.gradient, gradient_term(fused, given, proposed["gradient"], gradient))
    assert torch.equal(terms.total, terms.intensity + 0.3 * terms.gradient)
    assert torch.equal(terms.weights, proposed["intensity"])
    assert terms.total.shape == ()


def test_alpha_can_be_changed_between_steps():
    fused, given = images()
    loss = LearnableFusionLoss(Fixed(weights_for(given)))
    first = loss(fused, given)
    loss.alpha = 0.0
    assert torch.equal(loss(fused, given).total, first.intensity)
    assert first.total > first.intensity


@pytest.mark.parametrize(
    ("intensity", "gradient"),
    [("weighted", "per_axis"), ("weighted", "magnitude"), ("weighted", "learned"), ("squared_weight", "per_axis")],
)
def test_gradcheck(intensity, gradient):
    fused, given = images(size=(3, 3), batch=1)
    weights = weights_for(given)

    def total(fused, weights, *sources):
        loss = LearnableFusionLoss(Fixed({"intensity": weights, "gradient": weights}), gradient=gradient)
        loss.intensity = intensity
        return loss(fused, sources).total

    inputs = [tensor.requires_grad_() for tensor in (fused, weights, *given)]
    assert torch.autograd.gradcheck(total, inputs)
    assert torch.autograd.gradcheck(total, inputs, check_forward_ad=True, check_backward_ad=False)
    assert torch.autograd.gradgradcheck(total, inputs)


@pytest.mark.parametrize("gradient", ["per_axis", "magnitude", "learned"])
def test_uniform_weights_have_nothing_to_learn(gradient):
    fused, given = images(3)
    loss = LearnableFusionLoss(weights="uniform", gradient=gradient)
    terms = loss(fused, given)
    third = torch.full((2, 3, 5, 6), 1 / 3, dtype=torch.float64)
    assert torch.equal(terms.weights, third)
    assert terms.total.item() == pytest.approx(
        (intensity_term(fused, given, third) + gradient_term(fused, given, third, gradient)).item()
    )
    assert list(loss.parameters()) == []


def test_default_generator_gives_what_the_gradient_term_needs():
    fused, given = (torch.rand(1, 1, 8, 8) for _ in range(2)), tuple(torch.rand(1, 1, 8, 8) for _ in range(2))
    for form in ("per_axis", "learned"):
        terms = LearnableFusionLoss(gradient=form)(next(fused), given)
        assert torch.allclose(terms.weights.sum(1), torch.ones(1, 8, 8))


def test_shapes_that_do_not_fit():
    fused, given = images()
    loss = LearnableFusionLoss(Fixed(weights_for(given)))
    cases = [
        (fused[..., :4], given, ["(2, 1, 5, 4)", "(2, 1, 5, 6)"]),
        (fused, (given[0], given[1][:, :, :4]), ["(2, 1, 4, 6)", "(2, 1, 5, 6)"]),
        (fused[:1], given, ["(1, 1, 5, 6)", "(2, 1, 5, 6)"]),
        (fused, given[:1], ["1 source given", "at least two"]),
        (fused, (*given, given[0]), ["(2, 2, 5, 6)", "(2, 3, 5, 6)"]),
    ]
    for image, sources, words in cases:
        with pytest.raises(metaloss.ShapeError, match=".*".join(map(re.escape, words))):
            loss(image, sources)


def test_settings_and_generators_that_do_not_fit():
    for name in ("intensity", "gradient", "weights"):
        with pytest.raises(metaloss.ConfigError, match=rf"{name}='mean'.*choose one of"):
            LearnableFusionLoss(**{name: "mean"})
    fused, given = images()
    weights = weights_for(given)
    with pytest.raises(metaloss.ConfigError, match="leave one of the two out"):
        LearnableFusionLoss(Fixed(weights), weights="uniform")
    with pytest.raises(metaloss.ConfigError, match='gradient="learned" needs weights'):
        LearnableFusionLoss(Fixed(weights), gradient="learned")(fused, given)
    with pytest.raises(metaloss.ConfigError, match=r"proposed weights for \['gradient'\]"):
        LearnableFusionLoss(Fixed({"gradient": weights}))(fused, given)


def test_the_gradient_terms_factor_grows_linearly_with_the_epochs():
    fused, given = images()
    loss = LearnableFusionLoss(Fixed(weights_for(given)), alpha=0.8, alpha_ramp=True).double()
    first = loss(fused, given)
    assert torch.equal(first.total, first.intensity + 0.8 * first.gradient)
    for epoch, factor in ((0, 0.0), (1, 0.2), (2, 0.4), (4, 0.8), (9, 0.8)):
        loss.at_epoch(epoch, 5)
        expected = first.intensity + factor * first.gradient
        torch.testing.assert_close(loss(fused, given).total, expected, rtol=1e-12, atol=0)
    loss.at_epoch(0, 1)
    assert torch.equal(loss(fused, given).total, first.total)


def test_without_a_ramp_the_epoch_changes_nothing():
    fused, given = images()
    loss = LearnableFusionLoss(Fixed(weights_for(given)), alpha=0.8)
    before = loss(fused, given).total
    loss.at_epoch(0, 5)
    assert torch.equal(loss(fused, given).total, before)


def test_a_ramp_is_in_no_checkpoint_and_in_the_loss_s_words():
    loss = LearnableFusionLoss(weights="uniform", alpha_ramp=True)
    assert loss.state_dict() == {}
    assert "alpha_ramp=True" in repr(loss)
    with pytest.raises(metaloss.ConfigError, match=r"alpha_ramp='yes'\): expected True or False"):
        LearnableFusionLoss(alpha_ramp="yes")
