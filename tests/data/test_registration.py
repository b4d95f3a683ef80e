import pytest
import torch
import torch.nn.functional as F

from metaloss.colour import luma
from metaloss.data import images_by_stem, read_image
from metaloss.data.registration import displacement


def scene(seed=0, size=(240, 320)):
    """Rectangles of different brightness: edges in all places."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.zeros(1, *size)
    for _ in range(60):
        top, left, high, wide = (torch.rand(4, generator=generator) * torch.tensor([*size, 60.0, 60.0])).int().tolist()
        image[:, top : top + high + 8, left : left + wide + 8] = torch.rand((), generator=generator)
    return F.avg_pool2d(image, 3, 1, 1)


def moved(image, down, right):
    return image.roll((down, right), (-2, -1))


def test_equal_and_inverted_images_are_registered():
    image = scene()
    for other in (image, 1 - image, image.sqrt() * 0.3):
        found = displacement(image, other)
        assert found.shift <= 0.3
        assert not found.unregistered


@pytest.mark.parametrize("offset", [(0, 12), (-10, 0), (8, -9)])
def test_a_shift_is_found_and_measured(offset):
    found = displacement(scene(), 1 - moved(scene(), *offset))
    assert found.unregistered
    expected = 100 * (offset[0] ** 2 + offset[1] ** 2) ** 0.5 / 320
    assert found.shift == pytest.approx(expected, abs=0.4)


def test_the_measure_does_not_depend_on_the_resolution():
    big = F.interpolate(scene()[None], scale_factor=3.0)[0]
    found = displacement(big, moved(big, 24, -27))
    assert found.unregistered
    assert found.shift == pytest.approx(100 * (8**2 + 9**2) ** 0.5 / 320, abs=0.4)


def test_a_small_shift_and_unrelated_images_raise_no_alarm():
    assert not displacement(scene(), moved(scene(), 1, -1)).unregistered
    assert not displacement(scene(), scene(seed=1)).unregistered
    assert not displacement(scene(), torch.rand(1, 240, 320)).unregistered


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (16, 16)])
def test_small_and_flat_images(size):
    flat = torch.full((1, *size), 0.5)
    assert not displacement(flat, flat).unregistered
    assert not displacement(torch.rand(1, *size), torch.rand(1, *size)).unregistered


def test_it_is_the_same_each_time_and_leaves_the_random_state_alone():
    state = torch.get_rng_state()
    assert displacement(scene(), moved(scene(), 5, 5)) == displacement(scene(), moved(scene(), 5, 5))
    assert torch.equal(torch.get_rng_state(), state)


def alarms(root, first, second):
    def read(path):
        image = read_image(path)
        return image if len(image) == 1 else luma(image)

    partners = images_by_stem(root / second)
    return {
        stem
        for stem, path in images_by_stem(root / first).items()
        if displacement(read(path), read(partners[stem])).unregistered
    }


def test_the_warped_pairs_alone_raise_the_alarm(real_data):
    root = real_data("msrs_misaligned")
    assert alarms(root, "ir_warp", "vi") == {"00004N", "00081D"}
    assert alarms(root, "vi", "ir_warp") == {"00004N", "00081D"}
    assert alarms(root, "ir", "vi") == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "first", "second"),
    [
        *((name, "ir", "vi") for name in ("roadscene", "m3fd", "msrs_person", "tno_salient", "metric_reference_tno")),
        ("msrs_det", "ir", "vi"),
        ("cwfid_seg", "ir", "vi"),
        *((f"medical/MRI_{kind}", kind, "MRI") for kind in ("CT", "PET", "SPECT")),
        ("multifocus", "A", "B"),
        ("multiexposure", "A", "B"),
    ],
)
def test_registered_pairs_raise_none(real_data, folder, first, second):
    assert alarms(real_data(folder), first, second) == set()
