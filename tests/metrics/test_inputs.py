"""``evaluate`` takes tensors, arrays, and folders."""

import numpy as np
import pytest
import torch

from metaloss.colour import luma
from metaloss.data import write_image
from metaloss.errors import DataError, ShapeError
from metaloss.metrics import CONVENTIONS, evaluate

SOME = ["EN", "SF", "MI", "Qabf"]


def assert_all_close(given, expected):
    assert list(given) == list(expected)
    for name, value in given.items():
        torch.testing.assert_close(value, expected[name], msg=name)


@pytest.fixture
def images():
    """Fused (2, 3, H, W), grey infrared and visible in colour, of whole grey levels."""
    generator = torch.Generator().manual_seed(2)
    return [torch.randint(256, (2, bands, 20, 31), generator=generator).float() for bands in (3, 1, 3)]


def as_luma(image):
    return (luma(image / 255) * 255).round() if image.shape[1] == 3 else image


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float16, np.float32, ">f4"])
def test_arrays(images, convention, dtype):
    tensors = images if CONVENTIONS[convention].colour == "bands" else [as_luma(image) for image in images]
    expected = evaluate(tensors[0], tensors[1:], convention=convention, metrics=SOME)
    fused, infrared, visible = (image.numpy().astype(dtype) for image in images)
    assert_all_close(evaluate(fused, [infrared, visible], convention=convention, metrics=SOME), expected)
    last = [image.transpose(0, 2, 3, 1) for image in (fused, infrared, visible)]
    assert_all_close(evaluate(last[0], last[1:], convention=convention, metrics=SOME), expected)
    one = [fused[1].transpose(1, 2, 0), infrared[1, 0], visible[1].transpose(1, 2, 0)]
    assert_all_close(
        evaluate(one[0], one[1:], convention=convention, metrics=SOME),
        {name: value[1:] for name, value in expected.items()},
    )


def test_arrays_of_doubles_stay_so_and_stand_beside_tensors(images):
    fused, infrared, visible = (as_luma(image) for image in images)
    values = evaluate(fused.double().numpy(), [infrared, visible.numpy()], metrics=["SD"])
    assert values["SD"].dtype == torch.float64
    torch.testing.assert_close(values["SD"], evaluate(fused.double(), [infrared, visible], metrics=["SD"])["SD"])


@pytest.mark.parametrize("convention", ["tdfusion", "vifb"])
def test_arrays_in_the_unit_range_are_refused_before_a_luma_is_rounded(images, convention):
    fused, infrared, visible = (image.numpy() / 255 for image in images)
    with pytest.raises(DataError, match=r"source 1 has fractional values .* multiply by 255"):
        evaluate(images[0].numpy(), [images[1].numpy(), visible], convention=convention)
    with pytest.raises(DataError, match="multiply by 255"):
        evaluate(fused, [infrared, visible], convention=convention)


@pytest.mark.parametrize("shape", [(3, 20, 31), (5, 20, 31), (31,), (1, 4, 20, 31), (20, 31, 4)])
def test_arrays_of_other_shapes(shape):
    grey = np.zeros((20, 31))
    with pytest.raises(ShapeError, match="source 0 is an array of shape"):
        evaluate(grey, [np.zeros(shape), grey])


def test_arrays_that_hold_no_numbers():
    grey = np.zeros((20, 31))
    for wrong in (np.zeros((20, 31), dtype=bool), np.zeros((20, 31), dtype=complex), np.full((20, 31), "a")):
        with pytest.raises(DataError, match=r"fused is an array of .*: expected whole or real numbers"):
            evaluate(wrong, [grey, grey])


@pytest.fixture
def folders(tmp_path, images):
    """Two scenes of different sizes in three folders."""
    for place, image in zip(("fused", "ir", "vi"), images, strict=True):
        write_image(tmp_path / place / "b.png", image[0] / 255)
        write_image(tmp_path / place / "a.png", image[1, :, :12] / 255)
    return tmp_path / "fused", [tmp_path / "ir", tmp_path / "vi"]


@pytest.mark.parametrize("convention", ["tdfusion", "vifb"])
def test_folders(images, folders, convention):
    fused, sources = folders
    tensors = images if convention == "vifb" else [as_luma(image) for image in images]
    expected = {}
    for scene in ([image[1:, :, :12] for image in tensors], [image[:1] for image in tensors]):
        for name, value in evaluate(scene[0], scene[1:], convention=convention, metrics=SOME).items():
            expected.setdefault(name, []).append(value)
    expected = {name: torch.cat(values) for name, values in expected.items()}
    assert_all_close(evaluate(fused, sources, convention=convention, metrics=SOME), expected)
    texts = [str(folder) for folder in sources]
    assert_all_close(evaluate(str(fused), texts, convention=convention, metrics=iter(SOME)), expected)
    patterns = [folder / "*.png" for folder in (fused, *sources)]
    assert_all_close(evaluate(patterns[0], patterns[1:], convention=convention, metrics=SOME), expected)
    files = [folder / "b.png" for folder in (fused, *sources)]
    assert_all_close(
        evaluate(files[0], files[1:], convention=convention, metrics=SOME),
        {name: value[1:] for name, value in expected.items()},
    )


def test_folders_without_a_choice(folders):
    values = evaluate(*folders)
    assert values["EN"].shape == (2,)
    assert values["VIF"].isnan().all(), "too small, as for tensors"


def test_folders_whose_images_do_not_pair(folders, images):
    fused, (ir, vi) = folders
    with pytest.raises(DataError, match="is a path: give the fused images and all sources as paths"):
        evaluate(fused, [ir, images[2]])
    with pytest.raises(DataError, match=r"source .*nowhere: no such folder"):
        evaluate(fused, [ir, ir / "nowhere"])
    with pytest.raises(DataError, match="no such file; fused is one"):
        evaluate(fused / "a.png", [ir, vi])
    (vi / "a.png").rename(vi / "c.png")
    with pytest.raises(DataError, match=r"fused/a.png: no image of that name in .*vi"):
        evaluate(fused, [ir, vi])
    (vi / "c.png").rename(vi / "a.png")
    (fused / "a.png").unlink()
    with pytest.raises(DataError, match=r"ir/a.png: not among the fused images"):
        evaluate(fused, [ir, vi])
    write_image(fused / "a.png", images[0][1] / 255)
    with pytest.raises(DataError, match=r"fused/a.png is 31x20 pixels and .*ir/a.png 31x12"):
        evaluate(fused, [ir, vi])
