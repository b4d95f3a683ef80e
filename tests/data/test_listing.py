"""Links that lead nowhere are named, wherever files are listed; so is what else is missing."""

import pytest
from PIL import Image

from metaloss.data import PairedDataset, pair_by_stem, pair_folders
from metaloss.data.listing import list_files, what_is_missing
from metaloss.errors import DataError


@pytest.fixture
def root(tmp_path):
    for folder in ("ir", "vi", "label"):
        (tmp_path / folder).mkdir()
        Image.new("L", (4, 3)).save(tmp_path / folder / "a.png")
    return tmp_path


def link(*paths):
    for path in paths:
        path.symlink_to("/nonexistent/disk/b.png")


def test_both_files_of_a_pair_are_gone(root):
    link(root / "ir" / "b.png", root / "vi" / "b.png", root / "ir" / "c.png")
    with pytest.raises(DataError, match=r"ir/b\.png: a link to /nonexistent/disk/b\.png, .*\(and 1 more such link\)"):
        pair_by_stem(root, ("ir", "vi"))
    with pytest.raises(DataError, match=r"ir/b\.png: a link"):
        pair_folders([root / "ir", root / "vi"])
    with pytest.raises(DataError, match=r"ir/b\.png: a link"):
        pair_folders([root / "ir" / "*.png", root / "vi" / "*.png"])
    with pytest.raises(DataError, match=r"ir/b\.png: is a link to /nonexistent/disk/b\.png, which is not there"):
        pair_folders([root / "ir" / "b.png", root / "vi" / "a.png"])


def test_labels_folders_and_lists(root):
    for name in ("a", "b"):
        for folder in ("ir", "vi"):
            Image.new("L", (4, 3)).save(root / folder / f"{name}.png")
    (root / "boxes").mkdir()
    (root / "boxes" / "a.txt").write_text("0 0.5 0.5 0.5 0.5")
    link(root / "boxes" / "b.txt")
    with pytest.raises(DataError, match=r"boxes/b\.txt: a link"):  # no empty picture
        PairedDataset(root, target="boxes", missing="empty")
    link(root / "train.txt", root / "th")
    with pytest.raises(DataError, match=r"train\.txt: is a link to"):
        PairedDataset(root, target=None, split="train.txt")
    with pytest.raises(DataError, match=r"th: is a link to"):
        PairedDataset(root, target=None, sources=("th", "vi"))
    with pytest.raises(DataError, match=r"th/data: .*th is a link to .*METALOSS_DATA"):
        PairedDataset(root / "th" / "data")


def test_links_that_lead_somewhere_and_what_is_no_image(root):
    (root / "ir" / "b.png").symlink_to(root / "ir" / "a.png")
    (root / "ir" / ".c.png").symlink_to("/nonexistent")
    (root / "ir" / "notes.md").symlink_to("/nonexistent")
    (root / "ir" / "d.png").mkdir()
    (root / "more").symlink_to(root / "ir")
    for place in ("ir", "more", "ir/*"):
        assert list_files(root / place, {".png"}).names[-2:] == (("a.png", "b.png"))


def test_what_a_missing_path_may_have_been_meant_to_be(tmp_path):
    (tmp_path / "mydata" / "msrs").mkdir(parents=True)
    above = f"no such folder ({tmp_path / 'data'} is not there: did you mean 'mydata'?)"
    assert what_is_missing(tmp_path / "data" / "msrs") == above
    assert what_is_missing(tmp_path / "mydata" / "mrss") == "no such folder (did you mean 'msrs'?)"
    assert what_is_missing(tmp_path / "else" / "msrs") == "no such folder"
