import pytest
import torch
from torch import nn

import metaloss
from metaloss.networks import LossGenerator, WeightedSum
from metaloss.networks.spec import describe_fusion


class Fixed(nn.Module):
    def __init__(self, proposed):
        super().__init__()
        self.proposed = proposed

    def forward(self, *sources):
        return self.proposed


@pytest.mark.parametrize("sources", [2, 3])
def test_the_sum_pixel_by_pixel(sources):
    images = tuple(torch.rand(2, 1, 4, 5) for _ in range(sources))
    weights = torch.rand(2, sources, 4, 5).softmax(1)
    for proposed in (weights, {"intensity": weights, "gradient": weights.flip(1)}):
        fused = WeightedSum(Fixed(proposed))(*images)
        assert fused.shape == (2, 1, 4, 5)
        expected = sum(weights[1, k, 2, 3] * images[k][1, 0, 2, 3] for k in range(sources))
        torch.testing.assert_close(fused[1, 0, 2, 3], expected)


def test_equal_sources_come_out_as_they_are():
    image = torch.rand(1, 1, 8, 8)
    torch.testing.assert_close(WeightedSum()(image, image), image)


def test_it_can_be_rebuilt_from_what_is_said_of_it():
    network = WeightedSum(LossGenerator(3, ("intensity", "gradient"), level=True))
    spec = describe_fusion(network)
    again = metaloss.build_fusion(spec["name"], **spec["arguments"])
    again.load_state_dict(network.state_dict())
    images = [torch.rand(1, 1, 8, 8) for _ in range(3)]
    assert torch.equal(again(*images), network(*images))
    assert "class" in describe_fusion(WeightedSum(Fixed(None)))


def test_weights_that_do_not_fit():
    images = [torch.rand(1, 1, 4, 4) for _ in range(3)]
    with pytest.raises(metaloss.ShapeError, match="2 weights for 3 sources"):
        WeightedSum(Fixed(torch.rand(1, 2, 4, 4)))(*images)
