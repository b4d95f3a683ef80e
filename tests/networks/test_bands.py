import pytest
import torch

from metaloss.networks import ReFusionNet, RestormerBlock, bands


@pytest.fixture
def small(monkeypatch):
    """Bands of eight rows for the images of these tests."""
    monkeypatch.setattr(bands, "PIXELS", 1)


def network(make):
    subject = make().double().eval()
    for name, param in subject.named_parameters():
        if "norm" in name or "temperature" in name:
            param.data += 0.3 * torch.randn_like(param)
    return subject


SUBJECTS = {
    "block": (lambda: RestormerBlock(12, heads=3, expansion=1), 1, 12),
    "fusion": (ReFusionNet, 2, 1),
    "fusion of three": (lambda: ReFusionNet(3), 3, 1),
}


@pytest.mark.parametrize("size", [(2, 37, 9), (1, 16, 5), (1, 17, 13), (3, 9, 4)])
@pytest.mark.parametrize("name", SUBJECTS)
def test_bands_give_what_the_whole_gives(small, name, size):
    make, count, channels = SUBJECTS[name]
    subject = network(make)
    batch, height, width = size
    images = [torch.rand(batch, channels, height, width, dtype=torch.float64) for _ in range(count)]
    whole = subject(*images)
    assert whole.requires_grad
    with torch.no_grad():
        assert bands.in_bands(images[0])
        banded = subject(*images)
    torch.testing.assert_close(banded, whole.detach(), rtol=0, atol=1e-12)


def test_a_blank_image(small):
    subject, blank = network(ReFusionNet), torch.zeros(1, 1, 20, 6, dtype=torch.float64)
    with torch.no_grad():
        banded = subject(blank, blank)
    torch.testing.assert_close(banded, subject(blank, blank).detach(), rtol=0, atol=1e-12)


def test_each_row_is_written_once_and_neighbours_are_seen(small):
    image = torch.rand(1, 2, 29, 3)
    seen = []

    def box(rows):
        seen.append(rows.shape[-2])
        return torch.nn.functional.avg_pool2d(rows, 3, 1, 1)

    result = bands.stitched(box, image, reach=1)
    torch.testing.assert_close(result, torch.nn.functional.avg_pool2d(image, 3, 1, 1))
    assert seen == [10] * 4


def test_bands_are_of_equal_height(small):
    seen = []

    def same(rows):
        seen.append(rows.shape[-2])
        return rows

    image = torch.rand(1, 2, 33, 3)
    torch.testing.assert_close(bands.stitched(same, image, reach=0), image)
    assert seen == [7] * 5, "not four of 8 and one of 1, which costs as much as the others"


def test_products_are_those_of_the_whole(small):
    image = torch.rand(2, 3, 21, 4, dtype=torch.float64)
    flat = image.flatten(2)
    torch.testing.assert_close(bands.products(lambda rows: rows, image, reach=1), flat @ flat.mT)


def test_derivatives_take_the_whole(small):
    x = torch.rand(1, 12, 17, 5, dtype=torch.float64)
    subject = network(SUBJECTS["block"][0])
    with torch.no_grad():
        _, slope = torch.func.jvp(subject, (x,), (torch.ones_like(x),))
        step = 1e-6
        expected = (subject(x + step) - subject(x - step)) / (2 * step)
    torch.testing.assert_close(slope, expected, rtol=0, atol=1e-6)


def test_small_images_are_one_band():
    with torch.no_grad():
        assert not bands.in_bands(torch.rand(1, 16, 64, 64))
        assert not bands.in_bands(torch.rand(1, 1, 256, 256)), "two bands of 128 rows cost more than they save"
        assert bands.in_bands(torch.rand(1, 16, 480, 640))
    assert not bands.in_bands(torch.rand(1, 16, 480, 640))


def test_the_compiler_gets_the_stages_and_not_the_loops_over_bands():
    subject, compiled = RestormerBlock(16).eval(), []

    def backend(graph, _):
        compiled.append([node.name for node in graph.graph.nodes if node.op == "placeholder"])
        return graph.forward

    image = torch.rand(1, 16, 1600, 64)  # four bands
    with torch.no_grad():
        fast = torch.compile(subject, dynamic=False, backend=backend)
        torch.testing.assert_close(fast(image), subject(image))
        first = len(compiled)
        fast(torch.rand(1, 16, 3200, 64))
    assert first > 2, "the sums and the stage, each by itself"
    assert len(compiled) <= 2 * first, "twice as many bands, and not more graphs"
    torch.compiler.reset()
