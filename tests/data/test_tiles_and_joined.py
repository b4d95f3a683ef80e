import pytest
import torch

from metaloss.data import Joined, PairedDataset, SyntheticScenes, Tiles, paired_datasets, write_scenes
from metaloss.errors import ConfigError, DataError


@pytest.fixture
def folder(tmp_path):
    write_scenes(tmp_path, SyntheticScenes(5, size=(32, 40)))
    return tmp_path


def test_tiles_are_the_scene_cut_up():
    scenes = SyntheticScenes(2, size=(35, 40))
    tiles = Tiles(scenes, (2, 4))
    assert (len(tiles), tiles.sources) == (16, ("ir", "vi"))
    whole = scenes[1]
    rows = [torch.cat([tiles[8 + 4 * row + column]["sources"][1] for column in range(4)], -1) for row in range(2)]
    assert torch.equal(torch.cat(rows, -2), whole["sources"][1][:, :34])
    last = tiles[-1]
    assert last["names"] == f"{whole['names']}_1_3"
    assert torch.equal(last["target"], whole["target"][17:34, 30:])
    assert torch.equal(last["chroma"], whole["chroma"][:, 17:34, 30:])


def test_one_tile_is_the_scene_itself():
    scenes = SyntheticScenes(1, size=32)
    assert Tiles(scenes, 1)[0]["names"] == scenes[0]["names"]
    assert torch.equal(Tiles(scenes, 1)[0]["sources"][0], scenes[0]["sources"][0])


def test_tiles_that_cannot_be():
    with pytest.raises(ConfigError, match="size 0"):
        Tiles(SyntheticScenes(1, size=32), 0)
    with pytest.raises(DataError, match="smaller than 33x1"):
        Tiles(SyntheticScenes(1, size=32), (33, 1))[0]
    with pytest.raises(DataError, match="tiles are for data without targets"):
        Tiles(SyntheticScenes(1, size=32, target="detection"), 2)[0]
    with pytest.raises(IndexError):
        Tiles(SyntheticScenes(1, size=32), 2)[4]


def test_joined_sets_follow_each_other(folder):
    first, second = (PairedDataset(folder, sources=names, target=None) for names in (("ir", "vi"), ("vi", "ir")))
    joined = Joined([first, second])
    assert (len(joined), joined.sources) == (10, ("ir-vi", "vi-ir"))
    assert torch.equal(joined[7]["sources"][0], second[2]["sources"][0])
    assert joined[7]["names"] == f"vi_ir_{second[2]['names']}"
    assert len({joined[k]["names"] for k in range(10)}) == 10
    assert list(paired_datasets(Tiles(joined, 2))) == [first, second]
    assert list(paired_datasets(SyntheticScenes(1))) == []


def test_joined_sets_of_the_same_sources_are_told_apart_by_number(folder):
    parts = [PairedDataset(folder, target=None, split=split) for split in ("[:60%]", "[60%:]")]
    joined = Joined(parts)
    assert joined.sources == ("ir", "vi")
    assert [len(part) for part in parts] == [3, 2]
    assert [joined[k]["names"].partition("_")[0] for k in range(5)] == ["0", "0", "0", "1", "1"]
    assert Joined(parts[:1])[0]["names"] == parts[0][0]["names"]


def test_what_cannot_be_joined(folder):
    with pytest.raises(ConfigError, match="at least one"):
        Joined([])
    three = PairedDataset(folder, sources=("ir", "vi", "label"), target=None)
    with pytest.raises(ConfigError, match="different numbers of sources"):
        Joined([PairedDataset(folder), three])


def test_synthetic_scenes_without_labels():
    assert SyntheticScenes(1, size=32, target=None)[0]["target"] is None
