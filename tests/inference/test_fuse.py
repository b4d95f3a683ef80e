import pytest
import torch
from torch import nn
from toys import BatchNormNet, DropoutNet, StridedNet, held, learner, same

import metaloss
from metaloss.inference.fuse import fuse_any_size, fuse_in_tiles


def pair(size, channels=1):
    return torch.rand(2, channels, *size), torch.rand(2, channels, *size)


def test_evaluation_mode_and_back():
    network = DropoutNet()
    network.drop.eval()
    subject = learner(network)
    sources = pair((8, 9))
    before, state = held(network), torch.get_rng_state()
    fused = subject.fuse(*sources)
    assert not fused.requires_grad
    assert same(held(network), before)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(fused, subject.fuse(*sources))


def test_batch_norm_uses_and_keeps_its_running_statistics():
    network = BatchNormNet()
    subject = learner(network)
    before, sources = held(network), pair((8, 8))
    fused = subject.fuse(*sources)
    assert same(held(network), before)
    torch.testing.assert_close(fused, network.eval()(*sources).detach())


@pytest.mark.parametrize("size", [(16, 16), (31, 33), (8, 13), (1, 1)])
def test_strided_networks_take_any_size(size):
    network = StridedNet()
    sources = pair(size)
    fused = learner(network).fuse(*sources)
    assert fused.shape == (2, 1, *size)
    if size == (16, 16):
        torch.testing.assert_close(fused, network(*sources).detach())


def test_a_network_that_refuses_odd_sizes():
    class Strict(nn.Module):
        def forward(self, a, b):
            if a.shape[-1] % 16 or a.shape[-2] % 16:
                raise RuntimeError("sizes must be multiples of 16")
            return (a + b) / 2

    a, b = pair((20, 17))
    torch.testing.assert_close(learner(Strict()).fuse(a, b), (a + b) / 2)


class Demanding(nn.Module):
    """Averages images whose sides a stride divides, of squares alone if told so; counts its calls."""

    def __init__(self, stride, error=ValueError, square=False):
        super().__init__()
        self.stride, self.error, self.square, self.calls = stride, error, square, 0

    def forward(self, a, b):
        self.calls += 1
        height, width = a.shape[-2:]
        if height % self.stride or width % self.stride or (self.square and height != width):
            raise self.error(f"{height}x{width} is not divisible by {self.stride}")
        return a.mul_(0.5).add_(b / 2)


class OwnError(Exception):
    pass


@pytest.mark.parametrize("stride", [7, 12, 14, 20, 28, 32, 48, 56, 112, 128, 224])
@pytest.mark.parametrize("square", [False, True])
def test_strides_are_found(stride, square):
    a, b = pair((61, 47))
    expected = (a + b) / 2
    torch.testing.assert_close(fuse_any_size(Demanding(stride, square=square), [a, b]), expected)
    assert torch.equal((a + b) / 2, expected)


@pytest.mark.parametrize("error", [RuntimeError, AssertionError, IndexError, OwnError, metaloss.ShapeError])
def test_sizes_are_refused_with_any_error(error):
    a, b = pair((20, 17))
    torch.testing.assert_close(fuse_any_size(Demanding(14, error), [a, b]), (a + b) / 2)


def test_an_assertion_without_words_may_be_about_the_size():
    class Asserting(nn.Module):
        def forward(self, a, b):
            if a.shape[-1] % 8 or a.shape[-2] % 8:
                raise AssertionError  # as `assert` does where nothing rewrites it
            return (a + b) / 2

    a, b = pair((20, 17))
    torch.testing.assert_close(fuse_any_size(Asserting(), [a, b]), (a + b) / 2)


def test_the_networks_own_first_error_is_reported_and_tries_are_few():
    network = Demanding(1009)
    with pytest.raises(ValueError, match="61x47 is not divisible by 1009"):
        fuse_any_size(network, pair((61, 47)))
    assert network.calls <= 37


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("weights are missing"),
        RuntimeError("can't allocate memory: you tried to allocate 1024 bytes for this size"),
        torch.OutOfMemoryError("CUDA out of memory at this size"),
        TypeError("unsupported operand for shape"),
        AttributeError("no attribute 'shape'"),
        KeyError("size"),
        NotImplementedError("no kernel for this size"),
        metaloss.ConfigError("size=3: expected 4"),
    ],
)
def test_errors_of_another_kind_are_not_tried_again(error):
    class Failing(nn.Module):
        calls = 0

        def forward(self, a, b):
            self.calls += 1
            raise error

    network = Failing()
    with pytest.raises(type(error)):
        fuse_any_size(network, pair((61, 47)))
    assert network.calls == 1


def test_what_it_refuses():
    class Shrinking(nn.Module):
        def forward(self, a, b):
            return a[..., ::2, ::2]

    class Failing(nn.Module):
        def forward(self, a, b):
            raise RuntimeError("weights are missing")

    with pytest.raises(metaloss.ShapeError, match=r"Shrinking fused 10x12 pixels into .*keeps the sources' size"):
        learner(Shrinking()).fuse(*pair((10, 12)))
    with pytest.raises(RuntimeError, match="weights are missing"):
        learner(Failing()).fuse(*pair((10, 12)))
    with pytest.raises(metaloss.ShapeError, match="at least two"):
        learner().fuse(pair((8, 8))[0])
    with pytest.raises(metaloss.ShapeError, match=r"\(2, 1, 8, 9\).*\(2, 1, 8, 8\)"):
        learner().fuse(pair((8, 8))[0], pair((8, 9))[0])


class Blur(nn.Module):
    """A local network: it sees two pixels around each."""

    def forward(self, a, b):
        return nn.functional.avg_pool2d((a + b) / 2, 5, 1, 2, count_include_pad=False)


@pytest.mark.parametrize("size", [(40, 40), (41, 67), (100, 17), (16, 90), (10, 10)])
@pytest.mark.parametrize(("tile", "overlap"), [(16, None), (16, 0), (17, 8), (20, 19)])
def test_tiles_of_a_network_of_pixels_equal_the_whole(size, tile, overlap):
    class Mean(nn.Module):
        def forward(self, a, b):
            return (a + b) / 2

    a, b = pair(size)
    torch.testing.assert_close(fuse_in_tiles(Mean(), [a, b], tile=tile, overlap=overlap), (a + b) / 2)


def test_tiles_of_a_local_network_are_near_the_whole_and_blend():
    a, b = (nn.functional.avg_pool2d(source, 3, 1, 1) for source in pair((60, 70)))
    whole = fuse_any_size(Blur(), [a, b])
    abrupt = (fuse_in_tiles(Blur(), [a, b], tile=24, overlap=0) - whole).abs().max()
    blended = (fuse_in_tiles(Blur(), [a, b], tile=24, overlap=12) - whole).abs().max()
    assert blended < 0.5 * abrupt
    assert (fuse_in_tiles(Blur(), [a, b], tile=24, overlap=12) - whole)[..., 8:10, 8:10].abs().max() < 1e-6


def test_the_network_sees_no_more_than_a_tile():
    seen = []

    class Watching(nn.Module):
        def forward(self, a, b):
            seen.append(tuple(a.shape[-2:]))
            return a

    fuse_in_tiles(Watching(), pair((50, 33)), tile=20)
    assert set(seen) == {(20, 20)}
    seen.clear()
    fuse_in_tiles(Watching(), pair((18, 20)), tile=20)
    assert seen == [(18, 20)]


@pytest.mark.parametrize(("tile", "overlap"), [(0, None), (-3, 0), (16, 16), (16, -1)])
def test_tiles_that_cannot_be(tile, overlap):
    with pytest.raises(metaloss.ConfigError, match=f"tile={tile}"):
        fuse_in_tiles(Blur(), pair((40, 40)), tile=tile, overlap=overlap)
