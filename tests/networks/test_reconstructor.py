import pytest
import torch

import metaloss
from metaloss.networks import SourceReconstructor


@pytest.mark.parametrize("sources", [2, 3])
@pytest.mark.parametrize("size", [(8, 8), (13, 9)])
def test_one_image_in_its_sources_out(sources, size):
    network = SourceReconstructor(sources)
    images = network(torch.rand(2, 1, *size))
    assert len(images) == sources
    assert all(image.shape == (2, 1, *size) for image in images)
    assert not torch.equal(images[0], images[1])


def test_heads_that_give_nothing_leave_the_fused_image():
    network, fused = SourceReconstructor(), torch.rand(1, 1, 8, 8)
    for head in network.heads:
        torch.nn.init.zeros_(head[-1].weight)
    assert all(torch.equal(image, fused) for image in network(fused))


def test_its_size_is_as_documented():
    assert sum(param.numel() for param in SourceReconstructor().parameters()) == 26_880
    assert SourceReconstructor(3).arguments == {"sources": 3}


def test_every_parameter_learns():
    network = SourceReconstructor()
    sum(image.square().sum() for image in network(torch.rand(1, 1, 8, 8))).backward()
    assert all(param.grad is not None and param.grad.any() for param in network.parameters())


def test_what_it_does_not_take():
    with pytest.raises(metaloss.ConfigError, match=r"sources=1\): image fusion has at least two"):
        SourceReconstructor(1)
    for image in (torch.rand(1, 3, 8, 8), torch.rand(1, 8, 8)):
        with pytest.raises(metaloss.ShapeError, match=r"takes grey fused images .* given \(1, "):
            SourceReconstructor()(image)
