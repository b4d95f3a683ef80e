"""What the pictures show, and not only that they are there."""

import pytest
import torch

pytest.importorskip("matplotlib")

from metaloss.colour import ycbcr_to_rgb
from metaloss.data import read_image
from metaloss.evaluation.pictures import Scene, heat_map, strip, write_pictures

BLUE, YELLOW = torch.tensor([68, 1, 84]) / 255, torch.tensor([253, 231, 37]) / 255  # viridis at 0 and at 1


def scene(name, *, sources=(0.2, 0.6), fused=0.4, weights=(1.0, 0.0), chroma=None):
    def flat(value):
        return torch.full((1, 8, 12), value)

    return Scene(name, tuple(map(flat, sources)), flat(fused), torch.cat([flat(each) for each in weights]), chroma)


def test_a_heat_map_is_blue_at_nothing_and_yellow_at_one():
    shown = heat_map(torch.tensor([[0.0, 1.0, 0.5]]))
    assert shown.shape == (3, 1, 3)
    assert torch.allclose(shown[:, 0, 0], BLUE, atol=0.005)
    assert torch.allclose(shown[:, 0, 1], YELLOW, atol=0.005)
    luma = torch.tensor([0.299, 0.587, 0.114]) @ heat_map(torch.linspace(0, 1, 11)[None])[:, 0]
    assert (luma.diff() > 0).all()


def test_a_strip_shows_sources_fused_image_and_weights_in_this_order():
    row = torch.from_numpy(strip(scene("a"))) / 255
    assert row.shape == (8, 5 * 12, 3)
    for place, expected in enumerate(
        [torch.full((3,), 0.2), torch.full((3,), 0.6), torch.full((3,), 0.4), YELLOW, BLUE]
    ):
        assert torch.allclose(row[4, place * 12 + 6], expected, atol=0.005), place


def test_a_scene_with_colour_is_shown_in_colour():
    chroma = torch.stack([torch.full((8, 12), 0.1), torch.full((8, 12), -0.2)])
    coloured = scene("a", chroma=chroma)
    expected = ycbcr_to_rgb(coloured.fused, chroma)
    assert torch.allclose(coloured.coloured(), expected)
    shown = torch.from_numpy(strip(coloured))[:, 24:36].permute(2, 0, 1) / 255
    assert torch.allclose(shown, expected, atol=0.005)


def test_each_scenes_files_show_its_own_weights(tmp_path):
    scenes = [scene("a", weights=(1.0, 0.0), fused=0.3), scene("b", weights=(0.0, 1.0), fused=0.7)]
    write_pictures(tmp_path, scenes, ("ir", "vi"))
    for name, first, second, grey in (("a", YELLOW, BLUE, 0.3), ("b", BLUE, YELLOW, 0.7)):
        for source, expected in (("ir", first), ("vi", second)):
            found = read_image(tmp_path / "weights" / f"{name}_{source}.png")
            assert torch.allclose(found[:, 4, 6], expected, atol=0.005), (name, source)
        assert torch.allclose(read_image(tmp_path / "fused" / f"{name}.png"), torch.tensor(grey), atol=0.005)
    overview = read_image(tmp_path / "overview.png")
    height, width = overview.shape[-2:]
    upper, lower = overview[:, : height // 2], overview[:, height // 2 :]
    first, second = torch.full((3,), 0.2), torch.full((3,), 0.6)
    for half, expected in (
        (upper, (first, second, torch.full((3,), 0.3), YELLOW, BLUE)),
        (lower, (first, second, torch.full((3,), 0.7), BLUE, YELLOW)),
    ):
        for column, colour in zip((0.1, 0.3, 0.49, 0.68, 0.86), expected, strict=True):
            region = half[:, :, int((column - 0.05) * width) : int((column + 0.05) * width)]
            near = ((region - colour[:, None, None]).abs().amax(0) < 0.02).float().mean()
            assert near > 0.2, (column, near)


def test_names_lead_to_no_other_folder_and_overwrite_nothing(tmp_path):
    folder = tmp_path / "pictures"
    write_pictures(folder, [scene("../out"), scene("day/1")], ("train", "train"))
    assert sorted(path.name for path in (folder / "fused").iterdir()) == [".._out.png", "day_1.png"]
    weights = sorted(path.name for path in (folder / "weights").iterdir())
    assert weights == [f"{name}_{k}_train.png" for name in (".._out", "day_1") for k in (0, 1)]
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_names_are_no_formulas_and_a_full_disk_leaves_no_half_picture(tmp_path, request):
    write_pictures(tmp_path, [scene("a")], (r"$\ir$", r"$\vi$"))
    before = (tmp_path / "overview.png").read_bytes()
    request.getfixturevalue("full_disk")
    with pytest.raises(OSError, match=r"No space left on device: '.*overview\.png'"):
        write_pictures(tmp_path, [scene("a", fused=0.9)], ("ir", "vi"))
    assert (tmp_path / "overview.png").read_bytes() == before
