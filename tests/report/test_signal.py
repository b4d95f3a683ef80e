"""The tables and the maps of what the task asks of the fusion loss."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

import metaloss
from metaloss.data.exchange import reorder_sources
from metaloss.report.signal_maps import draw_signal, scenes_of, smoothed
from metaloss.report.signal_table import reading, region_tables, side_table
from metaloss.training.signal import Asked, Signal
from metaloss.training.signal_map import SignalMap


def signal(sources=("ir", "vi"), classes=("road", "car [1]"), maps=(), pairs=12):
    values = {source: Asked(0.5 - k, 3.0 if k else -1.25, pairs) for k, source in enumerate(sources)}
    return Signal(0.25, math.nan, dict.fromkeys(classes, values), tuple(maps))


def text(*tables, width=100):
    console = Console(width=width, record=True, file=io.StringIO())
    for table in tables:
        console.print(table)
    return console.export_text()


def row(shown, name):
    [line] = [line for line in shown.splitlines() if line.startswith(f"│ {name} ")]
    return [cell.strip() for cell in line.strip("│").split("│")][1:]


def test_two_sources_share_a_column() -> None:
    found = {"network": signal(), "image": signal(pairs=11)}
    assert row(text(side_table(found, "image")), "image (this config)") == ["0.25", "nan"]
    shown = text(*region_tables(found, "image"))
    assert "asked of ir: mean (t)" in shown
    assert row(shown, "car [1]") == ["+0.50 (-1.2)", "+0.50 (-1.2)", "12 / 11"]
    assert "for more of vi (the same number, negated)" in reading(found)[2]


def test_four_sources_and_fifteen_classes_fit_a_terminal() -> None:
    sources, classes = ("t1", "t2", "flair", "spect"), [f"class_{number}" for number in range(15)]
    found = {"network": signal(sources, classes), "image": signal(sources, classes)}
    tables = region_tables(found, "network")
    assert [table.title for table in tables] == [
        "asked by network (this config): mean (t)",
        "asked by image: mean (t)",
    ]
    shown = text(tables[1])
    assert row(shown, "class_14") == ["+0.50 (-1.2)", "-0.50 (3.0)", "-1.50 (3.0)", "-2.50 (3.0)", "12"]
    assert max(map(len, shown.splitlines())) <= 100
    assert "than of the others" in reading(found)[2]


def test_a_class_that_one_inner_update_has_not_seen() -> None:
    found = {"network": signal(), "image": signal(classes=("road", "sign"))}
    shown = text(*region_tables(found, "network"))
    assert row(shown, "car [1]")[1:] == ["-", "12"]
    assert row(shown, "sign")[0] == "-"


def test_without_regions() -> None:
    found = {"network": signal(classes=())}
    assert region_tables(found, "network") == []
    assert len(reading(found)) == 2


def one_map(number, targets, names=()):
    """A map of two scenes, the second with its sources exchanged; source k is filled with k, asked with 10 + k."""
    sources = tuple(torch.full((2, 1, 32, 40), float(k)) for k in range(2))
    batch = metaloss.FusionBatch(sources=sources, target=targets, names=names)
    batch = reorder_sources(batch, torch.tensor([[0, 1], [1, 0]]))
    noise = torch.rand(2, 1, 32, 40, generator=torch.Generator().manual_seed(number))
    asked = torch.tensor([10.0, 11.0])[None, :, None, None] + torch.zeros(2, 2, 32, 40)
    return SignalMap(batch, noise, noise, asked, noise.flatten())


def ids(*classes):
    """Class ids of a scene: stripes."""
    return torch.tensor(classes).repeat_interleave(32 // len(classes)).unsqueeze(1).expand(-1, 40)


def test_scenes_with_most_classes_come_first_and_none_twice() -> None:
    target = torch.stack([ids(0, 0), ids(0, 3)])
    first = one_map(0, target, ("a", "b"))
    second = one_map(1, torch.stack([ids(0, 1, 2, 3), ids(0, 3)]), ("c", "b"))
    found = {"image": signal(maps=(first, second)), "network": signal(maps=(first._replace(asked=-first.asked),))}
    scenes = scenes_of(found, 3)
    assert [scene.name for scene in scenes] == ["c", "b", "a"]
    assert [list(scene.asked) for scene in scenes] == [["image"], ["image", "network"], ["image", "network"]]
    for scene in scenes:
        assert scene.sources.mean((1, 2)).tolist() == [0, 1]
        assert (scene.asked["image"] == 10).all()
    assert (scenes[1].asked["network"] == -10).all()
    assert [region.number for region in scenes[1].outlined] == [3]
    assert scenes[2].outlined == []


def test_boxes_are_all_outlined() -> None:
    boxes = [{"boxes": torch.tensor([[0.0, 0, 30, 30]]), "labels": torch.tensor([2])}] * 2
    [scene, _] = scenes_of({"image": signal(maps=(one_map(0, boxes),))}, 3)
    assert [region.number for region in scene.outlined] == [2]


def test_a_smoothed_map_keeps_a_constant_and_loses_single_pixels() -> None:
    assert (smoothed(torch.full((64, 48), 2.0)) == 2).all()
    spot = torch.zeros(64, 48)
    spot[20, 20] = 25
    assert smoothed(spot)[20, 20] == pytest.approx(1)
    assert torch.equal(smoothed(spot[16:24]), spot[16:24])  # too small to smooth


@pytest.mark.slow
@pytest.mark.parametrize("targets", [torch.stack([ids(0, 1), ids(0, 3)]), None])
def test_the_picture(tmp_path, targets) -> None:
    found = {"image": signal(maps=(one_map(0, targets),))}
    path = tmp_path / "new" / "maps.png"
    draw_signal(path, scenes_of(found, 3), ("ir", "vi"), ("road",), "image")
    assert [file.name for file in path.parent.iterdir()] == ["maps.png"]
    picture = np.asarray(Image.open(path).convert("RGB"))
    assert picture.shape[1] > picture.shape[0] > 200
    assert picture.std() > 10


def test_names_with_dollars_are_no_formulas(tmp_path) -> None:
    found = {"image": signal(maps=(one_map(0, torch.stack([ids(0, 1), ids(0, 3)]), (r"$\frac$", r"\$a$")),))}
    draw_signal(tmp_path / "maps.png", scenes_of(found, 2), (r"$\ir$", "vi"), ("road", r"$\car$"), "image")
    assert (tmp_path / "maps.png").is_file()
