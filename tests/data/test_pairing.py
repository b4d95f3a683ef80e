import pytest
from PIL import Image

from metaloss.data.pairing import Pair, pair_by_stem, pair_folders
from metaloss.errors import ConfigError, DataError


def make(root, **folders):
    for folder, names in folders.items():
        (root / folder).mkdir(parents=True)
        for name in names.split():
            Image.new("L", (4, 3)).save(root / folder / name)
    return root


def test_pairs_by_stem_whatever_the_order_and_suffix(tmp_path):
    root = make(tmp_path, ir="10.png 9.png a.b.png", vi="9.jpg 10.TIF a.b.bmp", label="9.png 10.png a.b.png")
    (root / "ir" / ".hidden.png").write_text("")
    (root / "vi" / "notes.md").write_text("")
    pairs = pair_by_stem(root, ("ir", "vi"), "label")
    assert [pair.name for pair in pairs] == ["10", "9", "a.b"]
    assert pairs[1] == Pair("9", (root / "ir" / "9.png", root / "vi" / "9.jpg"), root / "label" / "9.png")


def test_three_sources_without_labels(tmp_path):
    make(tmp_path, nir="1.png", red="1.png", blue="1.png")
    (pair,) = pair_by_stem(str(tmp_path), ["nir", "red", "blue"])
    assert [file.parent.name for file in pair.sources] == ["nir", "red", "blue"]
    assert pair.target is None


def test_split_orders_and_picks(tmp_path):
    make(tmp_path, ir="1.png 2.png 3.png odd.png", vi="1.png 2.png 3.png")
    (tmp_path / "train.txt").write_text("# the training half\n\n3\n  1.png \n", encoding="utf-8")
    assert [pair.name for pair in pair_by_stem(tmp_path, ("ir", "vi"), split="train.txt")] == ["3", "1"]
    assert len(pair_by_stem(tmp_path, ("ir", "vi"), split=tmp_path / "train.txt")) == 2


@pytest.mark.parametrize("sources", [("ir",), (), "ir"])
def test_fewer_than_two_sources(tmp_path, sources):
    with pytest.raises(ConfigError, match="at least two"):
        pair_by_stem(make(tmp_path, ir="1.png"), sources)


def test_missing_root(tmp_path):
    (tmp_path / "cwfid_seg").mkdir()
    with pytest.raises(DataError, match=r"cwfid: no such data folder \(did you mean 'cwfid_seg'\?\)") as error:
        pair_by_stem(tmp_path / "cwfid", ("ir", "vi"))
    assert "METALOSS_DATA" in str(error.value)
    assert "--cfg-options data_root=" in str(error.value)
    with pytest.raises(DataError, match="did you mean 'cwfid_seg'"):
        pair_by_stem(tmp_path / "cwfidseg" / "deeper", ("ir", "vi"))


def test_missing_folder(tmp_path):
    make(tmp_path, ir="1.png", vi="1.png", labels="1.png")
    with pytest.raises(DataError, match=r"label: no such folder \(did you mean 'labels'\?\).*holds ir, labels, vi"):
        pair_by_stem(tmp_path, ("ir", "vi"), "label")


def test_empty_folder(tmp_path):
    make(tmp_path, ir="1.png", vi="")
    with pytest.raises(DataError, match="vi: no image files"):
        pair_by_stem(tmp_path, ("ir", "vi"))


def test_two_files_of_one_stem(tmp_path):
    make(tmp_path, ir="1.png", vi="1.jpg 1.png")
    with pytest.raises(DataError, match=r"vi: 1\.jpg and 1\.png have one stem"):
        pair_by_stem(tmp_path, ("ir", "vi"))


def test_missing_partners_are_all_counted_in_one_error(tmp_path):
    make(tmp_path, ir="1.png 2.png 3.png 4.png 5.png", vi="1.png 6.png", label="1.png 2.png 3.png 4.png 5.png 6.png")
    with pytest.raises(DataError) as error:
        pair_by_stem(tmp_path, ("ir", "vi"), "label")
    text = str(error.value)
    assert f"{tmp_path / 'vi'} has no partner for ir/2.png, ir/3.png, ir/4.png and 1 more" in text
    assert f"{tmp_path / 'ir'} has no partner for vi/6.png" in text
    assert "\n" not in text


def test_missing_partner_names_a_near_stem_that_is_alone_too(tmp_path):
    make(tmp_path, ir="0001.png 0002.png", vi="0001.png 0002_vi.png")
    with pytest.raises(DataError, match=r"vi has no partner for ir/0002\.png \(did you mean '0002_vi'\?\)"):
        pair_by_stem(tmp_path, ("ir", "vi"))


def test_split_that_cannot_be_used(tmp_path):
    make(tmp_path, ir="1.png 2.png", vi="1.png")
    split = tmp_path / "train.txt"
    split.write_text("# nothing\n\n")
    with pytest.raises(DataError, match=r"train\.txt: the split lists nothing"):
        pair_by_stem(tmp_path, ("ir", "vi"), split="train.txt")
    with pytest.raises(DataError, match=r"trian\.txt: no such split file \(did you mean 'train\.txt'\?\)"):
        pair_by_stem(tmp_path, ("ir", "vi"), split="trian.txt")
    split.write_text("1\n2\n7\n")
    with pytest.raises(DataError, match=r"train\.txt: lists '7', which is in no folder: correct"):
        pair_by_stem(tmp_path, ("ir", "vi"), split="train.txt")
    split.write_text("1\n1.png\n")
    with pytest.raises(DataError, match=r"train\.txt: '1' is listed twice"):
        pair_by_stem(tmp_path, ("ir", "vi"), split="train.txt")
    split.write_bytes(b"\xff\xfe\x81")
    with pytest.raises(DataError, match=r"train\.txt: cannot be read as text"):
        pair_by_stem(tmp_path, ("ir", "vi"), split="train.txt")


def test_folders_anywhere(tmp_path):
    make(tmp_path / "one", thermal="b.png a.png")
    make(tmp_path / "two", colour="a.jpg b.jpg")
    pairs = pair_folders([tmp_path / "one" / "thermal", str(tmp_path / "two" / "colour")])
    assert [pair.name for pair in pairs] == ["a", "b"]
    assert pairs[0].sources == (tmp_path / "one" / "thermal" / "a.png", tmp_path / "two" / "colour" / "a.jpg")


def test_single_files_are_one_pair_of_any_names(tmp_path):
    make(tmp_path, ir="warm.png", vi="seen.jpg")
    files = (tmp_path / "ir" / "warm.png", tmp_path / "vi" / "seen.jpg")
    assert pair_folders(files) == [Pair("warm", files)]


def test_folders_that_cannot_be_used(tmp_path):
    make(tmp_path, ir="1.png", vi="1.png 2.png")
    with pytest.raises(ConfigError, match="at least two"):
        pair_folders([tmp_path / "ir"])
    with pytest.raises(ConfigError, match=r"1\.png is a file and .*vi a folder"):
        pair_folders([tmp_path / "ir" / "1.png", tmp_path / "vi"])
    with pytest.raises(DataError, match=r"irr: no such file or folder \(did you mean 'ir'\?\)"):
        pair_folders([tmp_path / "irr", tmp_path / "vi"])
    with pytest.raises(DataError, match=r"ir has no partner for vi/2\.png"):
        pair_folders([tmp_path / "ir", tmp_path / "vi"])


def test_real_pairs(real_data):
    root = real_data("cwfid_seg")
    assert len(pair_by_stem(root, ("ir", "vi"), "label", "train.txt")) == 30
    assert len(pair_by_stem(root, ("ir", "vi"), "label", "test.txt")) == 10
    assert len(pair_by_stem(real_data("tno_salient"), ("ir", "vi"), "label")) == 20


def test_patterns_are_paired_by_stem(tmp_path, monkeypatch):
    make(tmp_path / "day", ir="01.png 02.png 03.png", vi="01.jpg 02.jpg 11.jpg")
    make(tmp_path / "night", ir="12.png", vi="12.jpg")
    (tmp_path / "day" / "ir" / "01.txt").write_text("")
    pairs = pair_folders([tmp_path / "day/ir/0[12]*", str(tmp_path / "day/vi/0*.jpg")])
    assert [pair.name for pair in pairs] == ["01", "02"]
    assert pairs[0].sources == (tmp_path / "day/ir/01.png", tmp_path / "day/vi/01.jpg")
    monkeypatch.chdir(tmp_path)
    assert [pair.name for pair in pair_folders(["night/*/12.png", "night/vi"])] == ["12"]
    assert [pair.name for pair in pair_folders(["**/ir/1?.png", "night/vi"])] == ["12"]


def test_patterns_that_cannot_be_used(tmp_path):
    make(tmp_path, ir="1.png", vi="1.png 2.png")
    with pytest.raises(DataError, match=r"vi/x\*: no image files"):
        pair_folders([tmp_path / "ir", tmp_path / "vi" / "x*"])
    with pytest.raises(DataError, match=r"1\.png and .*1\.png have one stem"):
        pair_folders([tmp_path / "*" / "1.png", tmp_path / "vi"])
    with pytest.raises(ConfigError, match=r"1\.png is a file and .*\*\.png a pattern"):
        pair_folders([tmp_path / "ir" / "1.png", tmp_path / "vi" / "*.png"])


def test_a_file_may_look_like_a_pattern(tmp_path):
    make(tmp_path, ir="a[1].png", vi="b.png")
    files = (tmp_path / "ir" / "a[1].png", tmp_path / "vi" / "b.png")
    assert pair_folders(files) == [Pair("a[1]", files)]
