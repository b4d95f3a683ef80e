"""What the benchmark times beside the metrics computes the same: else its ratios would say nothing."""

import pytest
import torch
from torch.nn.functional import interpolate

from benchmarks.vectorized import VECTORIZED
from metaloss.metrics import evaluate


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(4)
    coarse = interpolate(torch.rand(1, 3, 7, 8, generator=generator), size=(61, 63), mode="bilinear")
    noise = torch.rand(1, 3, 61, 63, generator=generator)
    fused, *sources = (20 + 180 * coarse + 30 * noise).round().double().split(1, dim=1)
    return (0.4 * fused + 0.4 * sources[0] + 0.2 * sources[1]).round(), sources


@pytest.mark.parametrize("name", VECTORIZED)
def test_the_value_is_the_metrics_own(images, name):
    fused, sources = images
    expected = evaluate(fused, sources, convention="vifb", metrics=[name])[name].item()
    given = VECTORIZED[name](fused[0, 0].numpy(), [source[0, 0].numpy() for source in sources])
    assert given == pytest.approx(expected, rel=1e-9)
