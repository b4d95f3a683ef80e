"""Tests for the sheet of scenes, methods and details."""

from __future__ import annotations

import torch

from metaloss.report.comparison_sheet import detail_of


def test_the_detail_is_where_contrast_differs_not_brightness() -> None:
    """A sky that one method makes bright and another dark is passed over for an object that one of them lost."""
    first, second = torch.full((2, 3, 80, 120), 0.5)
    first[:, :40] += torch.linspace(0.4, 0, 40)[:, None]
    second[:, :40] -= torch.linspace(0.4, 0, 40)[:, None]
    first[:, 56:64:2, 90:100] = 0.8
    for images in ([first, second], [first[:1], second[:1]], [first]):
        top, left, height, width = detail_of(images)
        assert (height, width) == (20, 30)
        assert top <= 56
        assert top + height >= 64
        assert left <= 90
        assert left + width >= 100


def test_the_detail_of_the_smallest_images() -> None:
    assert detail_of([torch.zeros(1, 1, 1), torch.ones(1, 1, 1)]) == (0, 0, 1, 1)
