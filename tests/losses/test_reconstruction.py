import numpy as np
import pytest
import torch
from scipy import ndimage

import metaloss
from metaloss.losses import ReconstructionLoss, reconstruction_loss


def images(count=2, size=(4, 5), channels=1, batch=2):
    return [torch.rand(batch, channels, *size, dtype=torch.float64) for _ in range(count)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [2, 3])
def test_against_scipy(count, channels):
    found, sources = images(count, channels=channels), images(count, channels=channels)
    intensity = gradient = 0.0
    for image, source in zip(found, sources, strict=True):
        difference = (image - source).numpy()
        intensity += (difference**2).mean()
        for axis in (0, 1):  # a plane at a time: scipy would smooth over channels, too
            planes = difference.reshape(-1, *difference.shape[-2:])
            gradient += np.mean([np.abs(ndimage.sobel(p, axis=axis, mode="constant")).mean() for p in planes])
    terms = reconstruction_loss(found, sources, alpha=0.3)
    assert terms.intensity.item() == pytest.approx(intensity, rel=1e-12)
    assert terms.gradient.item() == pytest.approx(gradient, rel=1e-12)
    assert terms.total.item() == pytest.approx(intensity + 0.3 * gradient, rel=1e-12)


def test_closed_forms():
    sources = images()
    assert reconstruction_loss(sources, sources).total.item() == 0
    # a constant offset: the gradient sees it at the zero-padded border alone
    terms = reconstruction_loss([sources[0] + 0.1, sources[1]], sources)
    assert terms.intensity.item() == pytest.approx(0.01)
    ramp = torch.arange(6, dtype=torch.float64).expand(1, 1, 6, 6)
    inner = reconstruction_loss([ramp, ramp], [torch.zeros_like(ramp), ramp]).gradient
    # |gx| is 8 inside; the border's own values are those of zero padding
    expected = (np.abs(ndimage.sobel(ramp[0, 0].numpy(), 1, mode="constant"))).mean()
    expected += np.abs(ndimage.sobel(ramp[0, 0].numpy(), 0, mode="constant")).mean()
    assert inner.item() == pytest.approx(expected)


def test_each_source_has_its_own_reconstruction():
    sources = images()
    assert reconstruction_loss(sources[::-1], sources).total.item() > 0.1


def test_module_equals_function():
    found, sources = images(), images()
    module = ReconstructionLoss(alpha=0.7)(found, sources)
    assert all(torch.equal(a, b) for a, b in zip(module, reconstruction_loss(found, sources, 0.7), strict=True))
    assert repr(ReconstructionLoss(0.7)) == "ReconstructionLoss(alpha=0.7)"


def test_gradcheck():
    inputs = [image.requires_grad_() for image in (*images(size=(3, 3), batch=1), *images(size=(3, 3), batch=1))]

    def total(a, b, *sources):
        return reconstruction_loss((a, b), sources, 0.4).total

    assert torch.autograd.gradcheck(total, inputs)
    assert torch.autograd.gradcheck(total, inputs, check_forward_ad=True, check_backward_ad=False)
    assert torch.autograd.gradgradcheck(total, inputs)


def test_what_does_not_fit():
    sources = images()
    with pytest.raises(metaloss.ShapeError, match="1 images were reconstructed of 2 sources"):
        reconstruction_loss(sources[:1], sources)
    with pytest.raises(metaloss.ShapeError, match=r"source 1 has shape \(2, 1, 4, 5\) and its reconstruction"):
        reconstruction_loss([sources[0], sources[1][..., :4]], sources)
    with pytest.raises(metaloss.ConfigError, match=r"alpha=-1\): a factor is 0 or more"):
        ReconstructionLoss(-1)
