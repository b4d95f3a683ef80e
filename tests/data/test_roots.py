"""Several roots as one data set."""

import numpy as np
import pytest
import torch
from PIL import Image

from metaloss.data import PairedDataset, check_dataset, fingerprint
from metaloss.data.images import read_image
from metaloss.errors import ConfigError, DataError


def make(root, names, label=True, seed=0):
    noise = np.random.default_rng(seed)
    for name in names:
        for folder, top in (("ir", 256), ("vi", 256), *([("label", 3)] if label else [])):
            (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(noise.integers(0, top, (6, 8), dtype=np.uint8)).save(root / folder / f"{name}.png")
    return root


def test_scenes_follow_one_another_and_names_grow_where_they_repeat(tmp_path):
    roots = [
        make(tmp_path / name / "data", names, seed=len(names)) for name, names in (("day", "ab"), ("night", "bcd"))
    ]
    dataset = PairedDataset([str(roots[0]), roots[1]], classes=3)
    assert [pair.name for pair in dataset.pairs] == ["a", "day_b", "night_b", "c", "d"]
    assert torch.equal(dataset[2]["sources"][0], read_image(roots[1] / "ir" / "b.png"))
    assert (dataset.sources, dataset.num_classes, dataset.ignore) == (("ir", "vi"), 3, 255)
    check_dataset(dataset)
    assert fingerprint(dataset)["items"] == 5
    three = PairedDataset((*roots, make(tmp_path / "dusk" / "data", "b")), classes=3)
    assert [pair.name for pair in three.pairs][-1] == "dusk_b"
    assert [pair.name for pair in PairedDataset([roots[0]], classes=3).pairs] == ["a", "b"]


def test_lists_are_relative_to_each_root(tmp_path):
    roots = [make(tmp_path / name, "abc") for name in ("one", "two")]
    for root, text in zip(roots, ("b\n", "c\na\n"), strict=True):
        (root / "train.txt").write_text(text)
    assert [pair.name for pair in PairedDataset(roots, split="train.txt").pairs] == ["b", "c", "a"]
    assert [pair.name for pair in PairedDataset(roots, split="[-1:]").pairs] == ["one_c", "two_c"]
    (roots[1] / "train.txt").unlink()
    with pytest.raises(DataError, match=r"two/train\.txt: no such split file"):
        PairedDataset(roots, split="train.txt")


def test_boxes_of_each_root(tmp_path):
    roots = [make(tmp_path / name, "a", label=False) for name in ("one", "two")]
    for number, root in enumerate(roots):
        (root / "label").mkdir()
        (root / "label" / "a.txt").write_text(f"{number} 0.5 0.5 0.5 0.5")
        (root / "classes.txt").write_text("person\ncar\n")
    dataset = PairedDataset(roots)
    assert [item["target"]["labels"].tolist() for item in dataset] == [[0], [1]]
    (roots[1] / "classes.txt").write_text("car\nperson\n")
    with pytest.raises(ConfigError, match=r"two has the classes car, person, and .*one person, car: give classes="):
        PairedDataset(roots)


def test_roots_that_cannot_be_joined(tmp_path):
    one, two = make(tmp_path / "one", "a"), make(tmp_path / "two", "a", label=False)
    with pytest.raises(ConfigError, match="no folder"):
        PairedDataset([])
    with pytest.raises(ConfigError, match="given 2 times"):
        PairedDataset([one, tmp_path / "two" / ".." / "one"])
    with pytest.raises(DataError, match=r"two/label: no such folder"):
        PairedDataset([one, two])
    (two / "label").mkdir()
    (two / "label" / "a.txt").write_text("")
    with pytest.raises(ConfigError, match="labels of boxes and labels of pixels"):
        PairedDataset([one, two])
    make(tmp_path / "three", ["a", "one_a"])
    with pytest.raises(ConfigError, match=r"2 scenes of .* would be called 'one_a'"):
        PairedDataset([one, tmp_path / "three"], target=None)
