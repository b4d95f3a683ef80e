import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from metaloss.colour import ycbcr_to_rgb
from metaloss.data.dataset import PairedDataset
from metaloss.data.images import read_image
from metaloss.errors import ConfigError, DataError


@pytest.fixture
def root(tmp_path):
    noise = np.random.default_rng(0)
    for folder in ("ir", "vi", "label"):
        (tmp_path / folder).mkdir()
    for name in ("a", "b"):
        Image.fromarray(noise.integers(0, 256, (6, 8), dtype=np.uint8)).save(tmp_path / "ir" / f"{name}.png")
        Image.fromarray(noise.integers(0, 256, (6, 8, 3), dtype=np.uint8)).save(tmp_path / "vi" / f"{name}.png")
        Image.fromarray(noise.integers(0, 3, (6, 8), dtype=np.uint8)).save(tmp_path / "label" / f"{name}.png")
    return tmp_path


def test_item(root):
    dataset = PairedDataset(root, classes=("soil", "crop", "weed"))
    assert len(dataset) == 2
    assert dataset.classes == ("soil", "crop", "weed")
    assert dataset.num_classes == 3
    item = dataset[1]
    assert set(item) == {"sources", "target", "chroma", "names"}
    assert item["names"] == "b"
    assert [tuple(source.shape) for source in item["sources"]] == [(1, 6, 8), (1, 6, 8)]
    assert all(source.dtype == torch.float32 for source in item["sources"])
    assert torch.equal(item["sources"][0], read_image(root / "ir" / "b.png"))
    assert item["target"].dtype == torch.int64
    assert item["target"].tolist() == np.asarray(Image.open(root / "label" / "b.png")).tolist()
    rgb = ycbcr_to_rgb(item["sources"][1], item["chroma"])
    assert torch.allclose(rgb, read_image(root / "vi" / "b.png"), atol=1e-6)


def test_the_ignored_id_is_255_in_items(root):
    ids, ignoring = (PairedDataset(root, classes=3, ignore=ignore)[0]["target"] for ignore in (255, 0))
    assert torch.equal(ignoring, ids.masked_fill(ids == 0, 255))
    assert (ids == 0).any()


def test_without_labels_and_colour(root):
    for name in ("a", "b"):
        Image.open(root / "vi" / f"{name}.png").convert("L").save(root / "vi" / f"{name}.png")
    item = PairedDataset(root, target=None)[0]
    assert item["target"] is None
    assert item["chroma"] is None


def test_swapped_sources_and_split(root):
    (root / "test.txt").write_text("b\n")
    dataset = PairedDataset(root, sources=("vi", "ir"), split="test.txt")
    assert [pair.name for pair in dataset.pairs] == ["b"]
    assert torch.equal(dataset[0]["sources"][1], read_image(root / "ir" / "b.png"))


def test_names_of_sources_and_classes(root):
    dataset = PairedDataset(root, sources=("vi", "ir"), classes=("soil", "crop", "weed"))
    assert dataset.sources == ("vi", "ir")
    assert dataset.metainfo == {"classes": ("soil", "crop", "weed")}
    assert PairedDataset(root).metainfo == {"classes": ()}
    nested = PairedDataset(root.parent, sources=[f"{root.name}/ir/", str(root / "vi")], target=None)
    assert nested.sources == ("ir", "vi")


def test_is_iterable_and_works_in_workers(root):
    dataset = PairedDataset(root)
    assert [item["names"] for item in dataset] == ["a", "b"]
    loader = DataLoader(dataset, batch_size=None, num_workers=1)
    assert [item["names"] for item in loader] == ["a", "b"]


def test_classes_from_a_file_a_number_or_nothing(root):
    assert PairedDataset(root).classes == ()
    assert PairedDataset(root).num_classes == 0
    assert PairedDataset(root, classes=2).classes == ("0", "1")
    (root / "classes.txt").write_text("soil\ncrop\n\nweed\n")
    (root / "other.txt").write_text("ground\nplant\n")
    assert PairedDataset(root).classes == ("soil", "crop", "weed")
    assert PairedDataset(root, classes="other.txt").classes == ("ground", "plant")
    assert PairedDataset(root, classes=root / "other.txt").num_classes == 2


@pytest.mark.parametrize("classes", [0, -1, True, (), ("a", "a")])
def test_classes_that_cannot_be_used(root, classes):
    with pytest.raises(ConfigError, match="class"):
        PairedDataset(root, classes=classes)


def test_class_files_that_cannot_be_used(root):
    (root / "classes.txt").write_text("\n")
    with pytest.raises(ConfigError, match=r"classes\.txt: no class names"):
        PairedDataset(root)
    with pytest.raises(DataError, match=r"clases\.txt: no such file of class names \(did you mean 'classes\.txt'\?\)"):
        PairedDataset(root, classes="clases.txt")
    (root / "classes.txt").write_bytes(b"\xff\xfe\x81")
    with pytest.raises(DataError, match=r"classes\.txt: cannot be read as text"):
        PairedDataset(root)


def test_pairing_is_checked_at_once(root):
    (root / "vi" / "b.png").unlink()
    with pytest.raises(DataError, match=r"vi has no partner for ir/b\.png"):
        PairedDataset(root)


@pytest.mark.parametrize("folder", ["vi", "label"])
def test_sizes_that_differ(root, folder):
    Image.new("L", (8, 5)).save(root / folder / "a.png")
    with pytest.raises(DataError, match=r"a\.png: 8x5 pixels .* has 8x6") as error:
        PairedDataset(root)[0]
    assert str(root / folder / "a.png") in str(error.value)


def test_real_data(real_data):
    dataset = PairedDataset(real_data("cwfid_seg"), split="train.txt")
    assert dataset.classes == ("soil", "crop", "weed")
    item = dataset[0]
    assert item["sources"][0].shape == (1, *item["target"].shape)
    assert item["chroma"] is None
    assert PairedDataset(real_data("msrs_person"))[0]["chroma"].shape == (2, 480, 640)


@pytest.mark.parametrize("sources", [("ir", "ir"), ("vi", "ir", "vi"), ("ir:alpha", "ir:alpha")])
def test_the_same_images_twice_are_no_two_sources(root, sources):
    with pytest.raises(ConfigError, match="the same images twice; give a folder or pattern of each source"):
        PairedDataset(root, sources=sources)


def test_a_split_is_a_file_or_a_part(root):
    with pytest.raises(ConfigError, match=r"split=\['a'\]: give a text file of scenes, a part such as"):
        PairedDataset(root, split=["a"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"root": "~/data"}, r"~/data: no such data folder: ~ is a shell's word .*: write the whole path"),
        ({"sources": ("more\\ir", "vi")}, r"no such folder: write it with / between its parts"),
    ],
)
def test_paths_of_other_systems_and_shells(root, given, said):
    (root / "more").mkdir()
    (root / "ir").rename(root / "more" / "ir")
    with pytest.raises(DataError, match=said):
        PairedDataset(**{"root": root, **given})
