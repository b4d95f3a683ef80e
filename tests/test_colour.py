import pytest
import torch

from metaloss import colour


def test_luma_of_the_primaries():
    primaries = torch.eye(3, dtype=torch.float64).view(3, 3, 1, 1)
    assert colour.luma(primaries).flatten().tolist() == [0.299, 0.587, 0.114]


@pytest.mark.parametrize("shape", [(3, 5, 6), (2, 3, 5, 6)])
def test_there_and_back(shape):
    rgb = torch.rand(shape, dtype=torch.float64)
    y, chroma = colour.rgb_to_ycbcr(rgb)
    assert y.shape[-3] == 1
    assert chroma.shape[-3] == 2
    torch.testing.assert_close(colour.ycbcr_to_rgb(y, chroma), rgb, rtol=0, atol=1e-14)
    torch.testing.assert_close(y, colour.luma(rgb))


def test_against_pillow():
    """Pillow converts by the same standard (JPEG, full range), rounded to 8 bits."""
    import numpy as np
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    expected = torch.from_numpy(np.array(Image.fromarray(pixels).convert("YCbCr"))).permute(2, 0, 1).double()
    y, chroma = colour.rgb_to_ycbcr(torch.from_numpy(pixels).permute(2, 0, 1).double() / 255)
    assert (y[0] * 255 - expected[0]).abs().max() <= 1
    assert (chroma * 255 + 128 - expected[1:]).abs().max() <= 1


def test_range_of_chroma_and_grey():
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3).T.reshape(3, 1, 8)
    _, chroma = colour.rgb_to_ycbcr(corners)
    assert chroma.min() == pytest.approx(-0.5)
    assert chroma.max() == pytest.approx(0.5)
    grey = torch.rand(1, 4, 4).expand(3, 4, 4)
    torch.testing.assert_close(colour.rgb_to_ycbcr(grey)[1], torch.zeros(2, 4, 4), rtol=0, atol=1e-6)


def test_gradients_pass_where_colours_leave_the_range():
    y = torch.full((1, 2, 2), 0.99, requires_grad=True)
    colour.ycbcr_to_rgb(y, torch.full((2, 2, 2), 0.4)).sum().backward()
    torch.testing.assert_close(y.grad, torch.full((1, 2, 2), 3.0))


def test_merging_chroma():
    first, second = torch.rand(2, 4, 4) - 0.5, torch.rand(2, 4, 4) - 0.5
    assert colour.merge_chroma([None, None]) is None
    assert colour.merge_chroma([None, first]) is first
    merged = colour.merge_chroma([first, None, second])
    expected = (first * first.abs() + second * second.abs()) / (first.abs() + second.abs())
    torch.testing.assert_close(merged, expected)
    assert torch.equal(colour.merge_chroma([torch.zeros(2, 2, 2)] * 2), torch.zeros(2, 2, 2))


def test_fitted_chroma_keeps_what_can_be_shown():
    rgb = torch.rand(3, 32, 32, dtype=torch.float64)
    y, chroma = colour.rgb_to_ycbcr(rgb)
    torch.testing.assert_close(colour.fitted_chroma(y, chroma), chroma, rtol=0, atol=1e-12)
    assert torch.equal(colour.fitted_chroma(y, torch.zeros_like(chroma)), torch.zeros_like(chroma))


@pytest.mark.parametrize("level", [0.0, 0.02, 0.5, 0.97, 1.0])
def test_fitted_chroma_keeps_luma_and_hue_and_pales_no_more_than_needed(level):
    y, chroma = colour.rgb_to_ycbcr(torch.rand(3, 32, 32, dtype=torch.float64))
    y = torch.full_like(y, level)
    fitted = colour.fitted_chroma(y, chroma)
    rgb = colour.ycbcr_to_rgb(y, fitted)
    assert rgb.min() >= -1e-12
    assert rgb.max() <= 1 + 1e-12
    torch.testing.assert_close(colour.luma(rgb), y)
    torch.testing.assert_close(fitted[0] * chroma[1], fitted[1] * chroma[0], rtol=0, atol=1e-12)
    assert ((fitted * chroma).sum(0) >= 0).all()
    paled = (fitted - chroma).abs().amax(0) > 1e-9
    at_an_end = (rgb.amin(0) < 1e-9) | (rgb.amax(0) > 1 - 1e-9)
    assert at_an_end[paled].all()


@pytest.mark.parametrize("bits", [8, 16])
def test_the_same_luma_gives_the_same_pixels_bit_for_bit(bits):
    top = 2**bits - 1
    levels = torch.randint(0, top + 1, (3, 256, 256), generator=torch.Generator().manual_seed(0))
    levels[:, 0, :9] = torch.cartesian_prod(*[torch.tensor([0, top])] * 3).T.repeat(1, 2)[:, :9]
    rgb = (levels / top).float()
    y, chroma = colour.rgb_to_ycbcr(rgb)
    for merged in (chroma, colour.merge_chroma([chroma, None, chroma, chroma])):
        back = colour.ycbcr_to_rgb(y, colour.fitted_chroma(y, merged)).clamp(0, 1)
        assert torch.equal((back * top).round().int(), levels.int())
