"""Which pixels an outline has."""

import numpy as np
import pytest
from skimage.measure import points_in_poly

from metaloss.data.convert.polygons import area, circle, fill
from metaloss.data.convert.shapes import rectangle


def filled(outline, size=(12, 16)):
    mask = np.zeros(size, np.uint8)
    found = fill(mask, np.array(outline, dtype=np.float64), 1)
    assert found == bool(mask.any())
    return mask


def test_a_square_is_as_wide_as_its_coordinates_say():
    mask = filled(rectangle(3, 2, 13, 7))
    expected = np.zeros_like(mask)
    expected[2:7, 3:13] = 1
    assert (mask == expected).all()


def test_a_pixel_belongs_to_what_its_centre_lies_in():
    assert filled(rectangle(3.4, 2.4, 4.6, 3.6)).sum() == 4
    assert filled(rectangle(3.6, 2.6, 4.4, 3.4)).sum() == 0


def test_neighbours_share_no_pixel_and_leave_none():
    middle = (5.3, 6.1)
    hull = [(0, 0), (16, 0), (16, 12), (0, 12)]
    parts = [filled([first, second, middle]) for first, second in zip(hull, [*hull[1:], hull[0]], strict=True)]
    assert (sum(part.astype(int) for part in parts) == 1).all()


@pytest.mark.parametrize("seed", range(20))
def test_any_polygon_is_filled_as_by_another_implementation(seed):
    noise = np.random.default_rng(seed)
    outline = noise.uniform(-6, 22, (noise.integers(3, 12), 2))  # crosses itself and the border
    rows, columns = np.mgrid[:12, :16] + 0.5
    centres = np.stack([columns.ravel(), rows.ravel()], axis=1)
    assert (filled(outline).ravel() == points_in_poly(centres, outline)).all()


def test_outside_is_nothing():
    for outline in (
        rectangle(-9, -9, -1, -1),
        rectangle(20, 3, 30, 6),
        rectangle(3, 13, 9, 20),
        [(1, 1), (9, 1), (5, 1)],
    ):
        assert not filled(outline).any()


def test_circle():
    outline = circle(8, 6, 4)
    assert outline.min(0) == pytest.approx((4, 2))
    assert outline.max(0) == pytest.approx((12, 10))
    assert area(outline) == pytest.approx(np.pi * 16, rel=2e-3)
    assert filled(outline).sum() == pytest.approx(np.pi * 16, rel=0.05)


def test_area():
    assert area(rectangle(1, 2, 4, 6)) == 12
    assert area(np.array([(0, 0), (4, 0), (0, 3)])) == 6
