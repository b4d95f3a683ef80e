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
