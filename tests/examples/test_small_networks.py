import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from examples.small_networks import SmallFusion, SmallGenerator, SmallSegmenter  # noqa: E402
from metaloss.hypergradient import forward, reverse  # noqa: E402


def count(module):
    return sum(param.numel() for param in module.parameters())


def test_sizes_and_ranges():
    sources = [torch.rand(2, 1, 23, 30) for _ in range(3)]
    assert count(SmallFusion()) == 28_641
    assert count(SmallGenerator()) == 9_666
    fused = SmallFusion(3)(*sources)
    assert fused.shape == (2, 1, 23, 30)
    assert 0 <= fused.min() <= fused.max() <= 1
    weights = SmallGenerator(3)(*sources)
    assert weights.shape == (2, 3, 23, 30)
    torch.testing.assert_close(weights.sum(1), torch.ones(2, 23, 30))
    assert SmallSegmenter(5)(sources[0]).shape == (2, 5, 23, 30)


def test_meta_gradients_are_exact():
    from toys import TinyTask, problem, relative_error, scenes

    from metaloss import LearnableFusionLoss

    pair = scenes(1, size=(12, 16)), scenes(2, size=(12, 16))
    generator = SmallGenerator().double()
    torch.nn.init.normal_(generator.weigh.weight)  # at 0 the layers before it would have no gradient
    subject = problem(SmallFusion().double(), loss=LearnableFusionLoss(generator), task=TinyTask(dropout=0.0))
    assert relative_error(forward(subject, *pair).gradients, reverse(subject, *pair).gradients) < 1e-10


def test_weights_start_equal_and_know_the_sources_apart():
    generator, (ir, vi) = SmallGenerator(), torch.rand(2, 1, 1, 32, 40)
    assert torch.equal(generator(ir, vi), torch.full((1, 2, 32, 40), 0.5))
    generator.weigh.bias.data[0] = 1.0
    assert (generator(ir, vi)[:, 0] > 0.7).all()
    seen, other = generator.look(torch.cat([ir, vi], 1)), generator.look(torch.cat([ir, 1 - vi], 1))
    assert torch.equal(seen[:, :16], other[:, :16])
    assert not torch.equal(seen[:, 16:], other[:, 16:])


def test_brightness_and_contrast_of_the_whole_image_do_not_matter():
    network, image = SmallSegmenter(3).double(), torch.rand(2, 1, 32, 40, dtype=torch.float64)
    generator = SmallGenerator().double()
    torch.nn.init.normal_(generator.weigh.weight)
    torch.testing.assert_close(generator(0.5 * image + 0.3, image), generator(image, image), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(network(0.5 * image + 0.3), network(image), rtol=1e-3, atol=1e-3)
    assert (network(image.square()) - network(image)).abs().max() > 1e-2
