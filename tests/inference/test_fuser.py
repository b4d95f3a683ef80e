from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from toys import BatchNormNet, DropoutNet, held, same

from metaloss import Fuser
from metaloss.colour import rgb_to_ycbcr, ycbcr_to_rgb
from metaloss.data import read_image, write_image
from metaloss.errors import CheckpointError, ConfigError, DataError, MetaLossError, ShapeError
from metaloss.inference.fuse import fuse_any_size, fuse_in_tiles
from metaloss.networks import ReFusionNet

NOISE = np.random.default_rng(0)
GREY, OTHER = (NOISE.integers(0, 256, (24, 30), dtype=np.uint8) for _ in range(2))
RGB = NOISE.integers(100, 156, (24, 30, 3), dtype=np.uint8)  # no colour has to be paled
DEEP = NOISE.integers(0, 2**16, (24, 30), dtype=np.uint16)


class Mean(nn.Module):
    def forward(self, *sources):
        return sum(sources) / len(sources)


class First(nn.Module):
    def forward(self, *sources):
        return sources[0] + 0


class Broken(nn.Module):
    def forward(self, *sources):
        return sources[0] * float("nan")


@pytest.fixture
def mean():
    return Fuser(Mean())


def tensor(array, scale=255.0):
    array = array[..., None] if array.ndim == 2 else array
    return torch.from_numpy(array.astype(np.float32) / np.float32(scale)).permute(2, 0, 1)


def in_float64(first, second, scale=255.0):
    """The mean of two grey images by NumPy."""
    return (first.astype(np.float64) / 255 + second.astype(np.float64) / scale) / 2


def test_arrays_of_8_and_16_bits_and_of_floats(mean):
    fused = mean(GREY, OTHER)
    assert (type(fused), fused.dtype, fused.shape) == (np.ndarray, np.uint8, GREY.shape)
    assert np.abs(fused - 255 * in_float64(GREY, OTHER)).max() <= 0.501
    assert mean(GREY[..., None], OTHER[..., None]).shape == (24, 30, 1)
    deep = mean(GREY, DEEP)
    assert deep.dtype == np.uint16
    assert np.abs(deep - 65535 * in_float64(GREY, DEEP, 65535)).max() <= 0.51
    for kind in (np.float16, np.float32, np.float64):
        floats = mean((GREY / 255).astype(kind), (OTHER / 255).astype(kind))
        assert floats.dtype == kind
        assert np.abs(floats - in_float64(GREY, OTHER)).max() <= {2: 1e-3, 4: 1e-6, 8: 1e-7}[kind().itemsize]


def test_tensors_come_back_in_their_shape_and_type(mean):
    one, two = tensor(GREY), tensor(OTHER)
    assert torch.equal(mean(one, two), (one + two) / 2)
    batch = mean(torch.stack([one, two]), torch.stack([two, two]))
    assert batch.shape == (2, 1, 24, 30)
    torch.testing.assert_close(batch[1], two)
    assert mean(one.half(), two.half()).dtype == torch.float16
    whole = mean(torch.from_numpy(GREY)[None], torch.from_numpy(OTHER)[None])
    assert (whole.dtype, whole.shape) == (torch.uint8, (1, 24, 30))
    assert np.array_equal(whole[0].numpy(), mean(GREY, OTHER))


def test_pictures_and_paths(mean, tmp_path):
    fused = mean(Image.fromarray(GREY), Image.fromarray(OTHER))
    assert fused.mode == "L"
    assert np.array_equal(np.asarray(fused), mean(GREY, OTHER))
    assert mean(Image.fromarray(GREY), Image.fromarray(RGB)).mode == "RGB"
    assert np.array_equal(np.asarray(mean(Image.fromarray(DEEP), Image.fromarray(DEEP))), DEEP)
    floats = mean(Image.fromarray((GREY / 255).astype(np.float32)), Image.fromarray(OTHER))
    assert floats.mode == "F"
    for name, pixels in (("a.png", GREY), ("b.png", RGB), ("c.png", DEEP)):
        Image.fromarray(pixels).save(tmp_path / name)
    assert np.array_equal(np.asarray(mean(tmp_path / "a.png", str(tmp_path / "b.png"))), mean(GREY, RGB))
    assert np.array_equal(np.asarray(mean(tmp_path / "c.png", tmp_path / "c.png")), DEEP)
    palette = Image.fromarray(RGB).quantize(16)
    assert np.array_equal(np.asarray(mean(palette, palette)), np.asarray(palette.convert("RGB")))


@pytest.mark.parametrize("kind", [">f2", ">f4", ">f8", ">u2", np.longdouble])
def test_arrays_in_whatever_order_of_bytes_and_length(mean, kind):
    given = (DEEP if kind == ">u2" else GREY / 255).astype(kind)
    fused = mean(given, given)
    assert fused.dtype == (np.float64 if kind is np.longdouble else given.dtype.newbyteorder("="))
    assert np.allclose(fused, given.astype(fused.dtype), rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"]
)
def test_every_mode_of_pillow(mean, mode):
    via = {"La": "LA", "RGBa": "RGBA", "PA": "P"}.get(mode, "RGB")
    fused = mean(Image.fromarray(GREY), Image.fromarray(RGB).convert(via).convert(mode))
    assert fused.mode == ("L" if mode in ("1", "L", "LA", "La") else "RGB")


def test_pictures_that_cannot_be_read(mean, tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as closed:
        pass
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:200])
    with Image.open(tmp_path / "b.png") as cut:
        for picture in (closed, cut):
            with pytest.raises(DataError, match="source 1: this PIL image cannot be read"):
                mean(GREY, picture)


@pytest.mark.parametrize("sources", [(GREY, RGB), (tensor(GREY), tensor(RGB)), (Image.fromarray(GREY),) * 2])
def test_a_network_that_gives_no_numbers(sources):
    with pytest.raises(DataError, match="Broken gave NaN or infinite values"):
        Fuser(Broken())(*sources)


def test_threads_use_one_network_and_its_flags_come_back():
    """A network that is being trained: each thread's images are those of evaluation, and the flags as they were."""
    network = DropoutNet().train()
    fuser = Fuser(network)
    expected = fuser(GREY, RGB)
    with ThreadPoolExecutor(8) as pool:
        several = list(pool.map(lambda _: fuser(GREY, RGB), range(80)))
    assert all(np.array_equal(fused, expected) for fused in several)
    assert all(module.training for module in network.modules())


def test_colour_is_kept(mean):
    assert np.array_equal(mean(RGB, RGB), RGB)
    fused = mean(GREY, RGB)
    y, chroma = rgb_to_ycbcr(tensor(RGB).double())
    expected = ycbcr_to_rgb((y + tensor(GREY).double()) / 2, chroma)
    inside = ((expected >= 0) & (expected <= 1)).all(0).numpy()
    assert inside.mean() > 0.5
    assert np.abs(fused / 255 - expected.permute(1, 2, 0).numpy())[inside].max() <= 0.51 / 255
    assert Fuser(Mean(), colour="grey")(GREY, RGB).shape == (24, 30)


def test_whose_colour(mean):
    other = RGB[..., ::-1].copy()
    first = Fuser(Mean(), colour_from=0)(RGB, other)
    y, chroma = rgb_to_ycbcr(tensor(RGB).double())
    expected = ycbcr_to_rgb((y + rgb_to_ycbcr(tensor(other).double())[0]) / 2, chroma).permute(1, 2, 0).numpy()
    assert np.abs(first / 255 - expected).max() <= 0.51 / 255
    assert not np.array_equal(first, mean(RGB, other))
    assert Fuser(Mean(), colour_from=0)(GREY, RGB).shape == (24, 30)  # that source has none
    assert np.array_equal(Fuser(Mean(), colour_from=1)(GREY, RGB), mean(GREY, RGB))
    with pytest.raises(ConfigError, match="colour_from=2: there are 2 sources, numbered from 0"):
        Fuser(Mean(), colour_from=2)(RGB, RGB)
    with pytest.raises(ConfigError, match="no colour is kept"):
        Fuser(Mean(), colour_from=0, colour="grey")


def test_grey_that_is_stored_as_colour_keeps_its_channels(mean):
    fused = mean(np.dstack([GREY] * 3), OTHER)
    assert fused.shape == (24, 30, 3)
    assert np.array_equal(fused[..., 1], mean(GREY, OTHER))


def test_mixed_kinds_give_the_first_ones_and_the_deepest_numbers(mean):
    fused = mean(Image.fromarray(GREY), tensor(OTHER))
    assert fused.mode == "F"
    assert np.abs(np.asarray(fused) - in_float64(GREY, OTHER)).max() <= 1e-6
    assert mean(torch.from_numpy(GREY)[None], DEEP).dtype == torch.uint16
    assert mean(GREY, tensor(OTHER)).dtype == np.float32


def test_the_network_sees_what_is_given():
    """Against the network itself, whole and in tiles, stretched and not."""
    network = ReFusionNet().eval()
    sources = [tensor(GREY), rgb_to_ycbcr(tensor(RGB))[0]]
    with torch.no_grad():
        expected = network(*(source[None] for source in sources))[0].clamp(0, 1)
    assert torch.equal(Fuser(network, colour="grey")(tensor(GREY), tensor(RGB)), expected)
    stretched = Fuser(network, colour="grey", stretch="minmax")(tensor(GREY), tensor(RGB))
    torch.testing.assert_close(stretched, (expected - expected.min()) / (expected.max() - expected.min()))
    large = torch.rand(2, 1, 40, 70)
    tiles = fuse_in_tiles(network, [large[:1], large[1:]], tile=32)
    assert torch.equal(Fuser(network, tile=32)(large[0], large[1]), tiles[0].clamp(0, 1))


def test_a_network_of_float64_and_one_of_bfloat16():
    network = ReFusionNet().eval()
    one, two = torch.rand(2, 1, 9, 11, dtype=torch.float64)
    exact = fuse_any_size(network.double(), [one[None], two[None]])[0]
    assert torch.equal(Fuser(network)(one, two), exact.clamp(0, 1))
    assert Fuser(network.bfloat16())(one, two).dtype == torch.float64


@pytest.mark.parametrize("make", [DropoutNet, BatchNormNet])
def test_nothing_is_left_behind(make):
    network = make()
    network.head.eval()
    one, two = torch.rand(2, 1, 8, 9, requires_grad=True).unbind()
    before, state = held(network), torch.get_rng_state()
    fused = Fuser(network)(one, two)
    assert not fused.requires_grad
    assert same(held(network), before)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()
    assert torch.equal(fused, Fuser(network)(one, two))


def test_the_range_of_whole_numbers(mean, tmp_path):
    counts = NOISE.integers(7000, 9000, (24, 30), dtype=np.uint16)
    fused = Fuser(Mean(), range=((7000, 9000), "full"))(counts, DEEP)
    expected = ((counts.astype(np.float64) - 7000) / 2000 + DEEP / 65535) / 2
    assert np.abs(fused - 65535 * expected).max() <= 0.51
    Image.fromarray(counts).save(tmp_path / "a.png")
    Image.fromarray(DEEP).save(tmp_path / "b.png")
    by_number = Fuser(Mean(), range={"0": (7000, 9000)})(str(tmp_path / "a.png"), str(tmp_path / "b.png"))
    assert np.array_equal(np.asarray(by_number), fused)
    kelvin = Image.fromarray((counts / 30).astype(np.float32))
    assert np.asarray(Fuser(Mean(), range="data")(kelvin, kelvin)).max() == 1


def test_a_checkpoints_range_is_gone_on_with():
    from metaloss.plugins.trained_range import keep_range

    network = Mean()
    keep_range(network, {"metaloss": {"data": {"sources": ["ir", "vi"], "range": ["0,100", "full"]}}})
    fused = Fuser(network)(np.full((8, 8), 50, np.uint8), np.zeros((8, 8), np.uint8))
    assert (fused == 64).all()
    floats = Fuser(network)(torch.full((1, 8, 8), 0.5), torch.zeros(1, 8, 8))
    assert (floats == 0.25).all()  # they are in [0, 1] already


@pytest.mark.parametrize(
    ("sources", "error", "reason"),
    [
        ((GREY,), ShapeError, "1 source given"),
        ((GREY, GREY[:, :29]), ShapeError, "source 1 has 29x24 pixels and source 0 30x24"),
        ((GREY * 1.0, GREY), DataError, r"source 0 has values from .* to 25\d"),
        ((tensor(GREY, 1.0), tensor(GREY)), DataError, "divide by the largest value of its kind"),
        ((GREY.astype(np.int32), GREY), DataError, "source 0 is of int32"),
        ((torch.zeros(1, 4, 4, dtype=torch.int64),) * 2, DataError, "source 0 is of int64"),
        ((np.full((4, 4), np.nan), np.zeros((4, 4))), DataError, "NaN or infinite"),
        ((RGB.transpose(2, 0, 1), GREY), ShapeError, r"channels come last: np.moveaxis\(image, 0, -1\)"),
        ((torch.zeros(4, 5, 3), torch.zeros(4, 5, 3)), ShapeError, "channels come first"),
        ((torch.zeros(4, 5), torch.zeros(4, 5)), ShapeError, r"image\[None\]"),
        ((np.zeros((4, 5, 4), np.uint8),) * 2, ShapeError, "fourth channel"),
        (([GREY, GREY], GREY), ShapeError, "one by one"),
        ((None, GREY), ShapeError, "source 0 is a builtins.NoneType: expected tensors"),
        (("absent.png", GREY), DataError, r"absent\.png: no such file"),
        ((torch.zeros(2, 1, 4, 4), torch.zeros(3, 1, 4, 4)), ShapeError, "source 1 has 3 images and source 0 2"),
        ((torch.zeros(1, 0, 4), torch.zeros(1, 0, 4)), ShapeError, "there is none"),
        ((2 * tensor(GREY) - 1, tensor(OTHER)), DataError, r"source 0 has values from -1 to 1: .*\(image \+ 1\) / 2"),
        ((GREY, -tensor(OTHER, 1.0)), DataError, "source 1 has values from -25"),
    ],
)
def test_what_is_refused(mean, sources, error, reason):
    with pytest.raises(error, match=reason) as refused:
        mean(*sources)
    assert isinstance(refused.value, MetaLossError)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"colour": "blue"}, "colour='blue': choose one of"),
        ({"stretch": "full"}, "stretch='full': choose one of"),
        ({"tile": 8}, "tile=8: expected a whole number of at least 32"),
        ({"colour_from": -1}, "colour_from=-1: expected"),
        ({"device": "gpu"}, "device 'gpu' cannot be used"),
        ({"range": "dat"}, r"range='dat' \(did you mean 'data'\?\)"),
        ({"range": {"ir": (9, 3)}}, "expected low below high"),
        ({"range": ["full", "percentile"]}, "range='percentile'"),
        ({"device": "meta"}, "device 'meta' cannot be used"),
    ],
)
def test_settings_out_of_range(options, reason):
    with pytest.raises(ConfigError, match=reason):
        Fuser(Mean(), **options)


def test_a_file_is_no_network(tmp_path):
    with pytest.raises(ConfigError, match=r"Fuser.load\('x.pth'\) reads a file"):
        Fuser("x.pth")
    with pytest.raises(CheckpointError, match=r"ivif: no such file; Fuser.pretrained\('ivif'\) takes those"):
        Fuser.load("ivif")


def test_memory_that_does_not_suffice_is_said_and_batches_go_one_by_one(monkeypatch):
    class Greedy(nn.Module):
        def forward(self, *sources):
            if len(sources[0]) * sources[0][0].numel() > 100:
                raise torch.OutOfMemoryError("out of memory")
            return sources[0] + 0

    small = torch.rand(5, 1, 8, 9)
    assert torch.equal(Fuser(Greedy())(small, small), small)
    with pytest.raises(DataError, match=r"30x24 pixels do not fit into memory: tile=512 \(--tile 512\)"):
        Fuser(Greedy())(GREY, GREY)


def test_equal_images_of_files_are_equal_in_memory(tmp_path, mean):
    image = torch.randint(0, 65536, (3, 9, 11), generator=torch.Generator().manual_seed(0)) / 65535
    write_image(tmp_path / "a.tif", image, bits=16)
    read = read_image(tmp_path / "a.tif")
    torch.testing.assert_close(Fuser(First())(read, read), read, rtol=0, atol=3e-7)
