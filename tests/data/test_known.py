"""Published data sets: the trees of their archives, classes, ids and splits."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from published import FMB, MEFB, MSRS, SIZE, colour, encoded, grey, ids, put

from metaloss.colour import rgb_to_ycbcr
from metaloss.data import Joined, KnownDataset, PairedDataset, check_dataset, known_dataset, known_datasets
from metaloss.data.known import find_known
from metaloss.data.part import part_of
from metaloss.errors import ConfigError, DataError

CLASSES = {
    ("msrs", "segmentation"): (
        "unlabelled", "car", "person", "bike", "curve", "car stop", "guardrail", "colour cone", "bump",
    ),
    ("msrs", "detection"): ("person", "bicycle", "car"),
    ("fmb", "segmentation"): (
        "unlabelled", "road", "sidewalk", "building", "traffic light", "traffic sign", "vegetation", "sky", "person",
        "car", "truck", "bus", "motorcycle", "bicycle", "pole",
    ),
    ("mfnet", "segmentation"): (
        "unlabelled", "car", "person", "bike", "curve", "car stop", "guardrail", "colour cone", "bump",
    ),
    ("m3fd", "detection"): ("People", "Car", "Bus", "Lamp", "Motorcycle", "Truck"),
    ("llvip", "detection"): ("person",),
}  # fmt: skip


def names(dataset):
    return [pair.name for pair in dataset.pairs]


@pytest.mark.parametrize(("name", "stems"), [("msrs", MSRS), ("fmb", FMB)])
@pytest.mark.parametrize("split", ["train", "test"])
def test_label_images_with_the_published_counts(published, name, stems, split):
    dataset = known_dataset(name, published(name), split, target="segmentation")
    assert names(dataset) == stems[split]
    assert len(dataset) == find_known(name).parts["segmentation"].counts[split]
    assert dataset.sources == ("ir", "vi")
    assert dataset.classes == CLASSES[name, "segmentation"]
    item = dataset[1]
    ir, vi = item["sources"]
    assert torch.equal(ir, torch.from_numpy(grey()).float().div(255)[None])
    assert vi.shape == item["target"].shape[-2:] or vi.shape == (1, *SIZE)
    absent = {13} if (name, split) == ("fmb", "test") else set()
    assert set(item["target"].unique().tolist()) == set(range(len(dataset.classes))) - absent
    assert f"as it unpacks in {published(name)}" in dataset.found
    assert dataset.found.endswith(f"split {split}: {len(dataset)} scenes")


def test_the_default_is_the_data_sets_own_kind_of_labels(published):
    assert known_dataset("MSRS", published("msrs"), "test").classes == CLASSES["msrs", "segmentation"]
    unlabelled = known_dataset("msrs", published("msrs"), "test", target=None)
    assert (unlabelled[0]["target"], unlabelled.classes, unlabelled.protocols) == (None, (), ())
    everything = known_dataset("fmb", published("fmb"))
    assert len(everything) == 1500
    assert everything.found.endswith("all: 1500 scenes")


def test_boxes_of_a_part_of_msrs(published):
    train, test = (known_dataset("msrs", published("msrs"), split, "detection") for split in ("train", "test"))
    assert names(train) == list(map(str, range(1, 65)))  # by number, not 1, 10, 11
    assert names(test) == list(map(str, range(65, 81)))
    assert train.classes == CLASSES["msrs", "detection"]
    target = train[0]["target"]
    assert target["labels"].tolist() == [2]
    assert torch.allclose(target["boxes"][0], torch.tensor([6.6, 7.5, 20.5, 16.5]), atol=0.1)


def test_m3fd(published):
    train, test = (known_dataset("m3fd", published("m3fd"), split) for split in ("train", "test"))
    assert names(train) == [f"{n:05d}" for n in range(9)]
    assert names(test) == ["00009", "00010", "00011"]
    assert train.classes == CLASSES["m3fd", "detection"]
    assert [[train.classes[k] for k in item["target"]["labels"]] for item in (train[3], train[4])] == [
        ["Motorcycle", "People"], ["Truck", "People"],
    ]  # fmt: skip
    assert train[0]["target"]["boxes"].tolist() == [[1.0, 2.0, 21.0, 20.0], [2.0, 2.0, 22.0, 20.0]]
    assert train[0]["sources"][0].shape == (1, *SIZE)
    assert "split train, [:79%] in the order of names: 9 scenes" in train.found
    fusion = known_dataset("m3fd_fusion", published("m3fd").parent, "train")
    assert names(fusion) == ["00000", "00003", "00006"]
    assert fusion[0]["target"] is None


def test_sequences_of_m3fd_stay_together():
    rule, everything = find_known("m3fd").parts["detection"].rule, range(4200)
    train, test = (part_of(everything, rule[split], "") for split in ("train", "test"))
    assert (train[-1], test[0], len(train), len(test)) == (3317, 3360, 3318, 840)  # a sequence ends between the two


def test_llvip_has_folders_of_splits_in_those_of_sources(published):
    train, test = (known_dataset("llvip", published("llvip"), split) for split in ("train", "test"))
    assert (len(train), len(test)) == (12, 12)
    assert not {*names(train)} & {*names(test)}
    assert train.sources == ("ir", "vi")
    assert train.classes == CLASSES["llvip", "detection"]
    assert train[0]["target"]["labels"].tolist() == [0, 0]
    tenth = known_dataset("llvip", published("llvip"), "train[::10]")
    assert names(tenth) == ["010001", "010011"]
    assert "split train, of these [::10]: 2 scenes" in tenth.found
    assert "published: 12025" in train.found


def test_mfnet_has_both_sources_in_one_file(published):
    tree = published("mfnet")
    train = known_dataset("mfnet", tree, "train", range={"ir": "full"})
    assert names(train) == ["00001D", "00003N", "00005N"]  # the list has flipped ones as well, which nobody made
    assert names(known_dataset("mfnet", tree, "val")) == ["00002D", "00007N"]
    assert names(known_dataset("mfnet", tree, "test_night")) == ["00004N", "00008N"]
    assert train.classes == CLASSES["mfnet", "segmentation"]
    assert train.sources == ("ir", "vi")
    ir, vi = train[0]["sources"]
    assert torch.equal(ir, torch.from_numpy(grey()).float().div(255)[None])
    assert torch.allclose(vi, rgb_to_ycbcr(torch.from_numpy(colour()).permute(2, 0, 1).float().div(255))[0], atol=1e-6)


def test_roadscene_takes_the_images_of_one_size(published, tmp_path):
    dataset = known_dataset("roadscene", published("roadscene"), "train")
    assert len(dataset) == 4
    assert {file.parent.name for file in dataset.pairs[0].sources} == {"cropinfrared", "crop_LR_visible"}
    assert dataset[0]["sources"][1].shape == (1, *SIZE)
    put(tmp_path / "cropinfrared", ["1.jpg"], encoded(grey(), "JPEG"))
    larger = np.repeat(np.repeat(colour(), 3, 0), 2, 1)  # of another ratio of sides as well, as published
    put(tmp_path / "crop_HR_visible", ["1.jpg"], encoded(larger, "JPEG"))
    for sources in (("ir", "vi"), ("vi", "ir")):
        dataset = known_dataset("roadscene", tmp_path, sources=sources)
        item = dataset[0]
        assert [source.shape for source in item["sources"]] == [(1, *SIZE)] * 2
        assert item["chroma"].shape == (2, *SIZE)
        visible = item["sources"][sources.index("vi")]
        assert (visible - rgb_to_ycbcr(torch.from_numpy(colour()).permute(2, 0, 1) / 255)[0]).abs().mean() < 0.02
        check_dataset(dataset)
        assert "all of the size of ir" in dataset.found
    own = PairedDataset(tmp_path, sources=("cropinfrared", "crop_HR_visible"), target=None)
    for look in (lambda: own[0], lambda: check_dataset(own)):
        with pytest.raises(DataError, match=r"64x72 pixels .width x height., and .* has 32x24: the images of a scene"):
            look()


def test_harvard_is_split_by_case(published):
    train, test = (known_dataset("harvard_ct", published("harvard"), split) for split in ("train", "test"))
    assert names(train) == ["2004", "2005", "16004", "16005", "18004", "18005", "20004", "20005"]
    assert names(test) == ["21004", "21005"]
    assert train.sources == ("CT", "MRI")
    one = known_dataset("harvard", published("harvard"), "test", sources=("PET", "MRI"))
    assert (names(one), one.sources) == (["41004", "41005"], ("PET", "MRI"))
    together = known_dataset("harvard", published("harvard"), "train")
    assert isinstance(together, Joined)
    assert together.sources == ("CT-PET-SPECT", "MRI")
    assert len(together) == 8 + 4 + 8
    with pytest.raises(ConfigError, match="three kinds of pairs: give sources="):
        KnownDataset("harvard", published("harvard"))


def test_one_case_alone_is_divided(tmp_path):
    for folder in ("CT", "MRI"):
        put(tmp_path / "CT-MRI" / folder, [f"200{n}.png" for n in range(5)], encoded(grey()))
    splits = [known_dataset("harvard_ct", tmp_path, split) for split in ("train", "test")]
    assert list(map(names, splits)) == [["2000", "2001", "2002", "2003"], ["2004"]]


def test_photographs(published):
    lytro = known_dataset("lytro", published("lytro"))
    assert names(lytro) == [f"lytro-{number:02d}" for number in range(1, 7)]
    assert [file.name for file in lytro.pairs[0].sources] == ["lytro-01-A.jpg", "lytro-01-B.jpg"]
    assert lytro.sources == ("A", "B")
    whu = known_dataset("MFI-WHU", published("mfi_whu"), "test")
    assert names(whu) == ["10", "11", "12"]
    assert [file.parent.name for file in whu.pairs[0].sources] == ["source_1", "source_2"]
    mefb = known_dataset("mefb", published("mefb"))
    assert sorted(names(mefb)) == sorted(line.partition("/")[0] for line in MEFB)
    for pair in mefb.pairs:
        under, over = pair.sources
        assert (under.stem[-2:].lower(), over.stem[-2:].lower()) == ("_a", "_b")
    assert names(known_dataset("mefb", published("mefb") / "input", "train")) == names(mefb)[:6]


def test_tno_finds_the_thermal_and_the_visible_image_of_each_scene(published):
    dataset = known_dataset("tno", published("tno"))
    found = {pair.name: [file.stem for file in pair.sources] for pair in dataset.pairs}
    assert found == {
        "2_men_in_front_of_house": ["IR_meting003_g", "VIS_meting003_r"],
        "airplane_in_trees": ["ir", "vis"],
        "APC_1_view_1": ["IR_fk_06_005", "VIS_fk_06_005"],
        "APC_1_view_2": ["IR_fk_ref_01_005", "VIS_fk_ref_01_005"],
        "APC_2_view_1": ["2_fk_ge_03_005", "1_fk_ge_03_005"],
        "barbed_wire_1": ["B_LWIR", "R_Vis"],
        "barbed_wire_2": ["c_LWIR-MarnehNew_24RGB_1110", "a_VIS-MarnehNew_24RGB_1110"],
        "Bosnia": ["LWIR_B", "VIS_R"],
        "bunker": ["IR_bunker_g", "bunker_r"],
        "Fire_sequence_part_1_2": ["RAD2", "DHV2"],
        "Fire_sequence_part_1_10": ["RAD10", "DHV10"],
        "Fire_sequence_part_2_0": ["RADheli0", "DHVheli0"],
        "Fire_sequence_part_2_1": ["RADheli1", "DHVheli1"],
        "heather": ["IR_hei_vis_g", "VIS_hei_vis_r"],
        "Kaptein_01": ["IR01", "Vis01"],
        "Kaptein_1654": ["Kaptein_1654_IR", "Kaptein_1654_Vis"],
        "Nato_camp_sequence_1800": ["1800i", "1800v"],
        "Nato_camp_sequence_1801": ["1801i", "1801v"],
        "tank": ["LWIR", "Vis"],
        "wall": ["IR_163rad", "VIS_163dhvR"],
    }
    test = names(known_dataset("tno", published("tno"), "test"))
    assert test == ["Nato_camp_sequence_1800", "Nato_camp_sequence_1801", "tank", "wall"]
    train = names(known_dataset("tno", published("tno"), "train"))
    assert sorted(train + test) == sorted(found)


def test_tno_in_one_folder(tmp_path):
    for number in (1, 2, 10):
        put(tmp_path, [f"IR{number}.bmp"], encoded(grey(), "BMP"))
        put(tmp_path, [f"VIS{number}.bmp"], encoded(grey(40), "BMP"))
    dataset = known_dataset("tno", tmp_path)
    assert names(dataset) == ["1", "2", "10"]


@pytest.mark.parametrize("name", list(known_datasets()))
def test_the_tree_is_found_in_the_folder_above_it(published, name):
    tree = published("m3fd" if name.startswith("m3fd") else "harvard" if name.startswith("harvard") else name)
    split = "[::2]"
    above = known_dataset(name, tree.parent, split)
    inside = known_dataset(name, tree.parent / "M3FD_Fusion" if name == "m3fd_fusion" else tree, split)
    assert above.pairs == inside.pairs


def test_capitals_and_a_folder_of_any_name_around_it(tmp_path):
    tree = tmp_path / "download" / "train"
    put(tree / "infrared", ["1.png"], encoded(grey()))
    put(tree / "VISIBLE", ["1.png"], encoded(colour()))
    put(tree / "label", ["1.png"], encoded(ids(0, 5)))
    dataset = known_dataset("fmb", tmp_path, "train")
    assert dataset[0]["target"].unique().tolist() == [0, 5]
    assert "train/infrared, train/VISIBLE, train/label" in dataset.found
    assert dataset.found.endswith("split train: 1 scenes (published: 1220)")


def plain(root, stems=("1", "2", "3"), label="label", lists=True):
    for folder, pixels in (("ir", grey()), ("vi", colour()), (label, ids(1, 2))):
        put(root / folder, [f"{stem}.png" for stem in stems], encoded(pixels))
    if lists:
        (root / "train.txt").write_text("\n".join(stems[:-1]))
        (root / "test.txt").write_text(stems[-1])
    return root


@pytest.mark.parametrize("label", ["label", "labels"])
def test_plain_folders_with_lists(tmp_path, label):
    root = plain(tmp_path, label=label)
    train = known_dataset("msrs", root, "train")
    assert (names(train), train.classes) == (["1", "2"], CLASSES["msrs", "segmentation"])
    assert (
        train.found
        == f"MSRS in plain folders in {root} (ir, vi, {label}): listed in train.txt: 2 scenes (published: 1083)"
    )
    assert names(known_dataset("msrs", root, "test")) == ["3"]
    assert names(known_dataset("msrs", root, "train[::2]")) == ["1"]
    assert names(known_dataset("msrs", root, "test.txt", sources=("vi", "ir"))) == ["3"]
    assert known_dataset("msrs", root, "test.txt", sources=("vi", "ir")).sources == ("vi", "ir")
    with pytest.raises(DataError, match=r"val\.txt: no such split file"):
        known_dataset("msrs", root, "val")


def test_a_rule_stands_in_for_lists_in_plain_folders_too(tmp_path):
    plain(tmp_path, [str(number) for number in range(1, 11)], lists=False)
    assert names(known_dataset("roadscene", tmp_path, "test")) == ["9", "10"]
    assert names(known_dataset("roadscene", tmp_path, "[-1:]")) == ["10"]


def test_folders_of_ones_own_win(tmp_path):
    for folder, pixels in (("nir", grey()), ("red", colour()), ("masks", ids(0, 9))):
        put(tmp_path / folder, ["a.png", "b.png"], encoded(pixels))
    (tmp_path / "mine.txt").write_text("b\n")
    given = {"sources": ("nir", "red"), "classes": ("soil", "crop"), "ignore": 9}
    mine = known_dataset("fmb", tmp_path, "mine.txt", "masks", **given)
    assert (names(mine), mine.sources, mine.classes, mine.protocols) == (["b"], ("nir", "red"), ("soil", "crop"), ())
    assert mine[0]["target"].unique().tolist() == [0, 255]
    same = PairedDataset(tmp_path, sources=("nir", "red"), target="masks", split="mine.txt", classes=("soil", "crop"))
    assert mine.pairs == same.pairs
    with pytest.raises(DataError, match=r"train\.txt: no such split file"):
        known_dataset("fmb", tmp_path, "train", "masks", **given)


def test_other_labels_in_the_data_sets_own_tree(published, tmp_path):
    put(tmp_path / "Ir", ["1.png", "2.png"], encoded(grey()))
    put(tmp_path / "Vis", ["1.png", "2.png"], encoded(colour()))
    put(tmp_path / "boxes", ["1.txt", "2.txt"], b"4 0.5 0.5 0.5 0.5\n")
    dataset = known_dataset("m3fd", tmp_path, target="boxes")
    assert dataset[0]["target"]["labels"].tolist() == [4]
    assert dataset.classes[4] == "Motorcycle"


def test_lists_in_a_tree_whose_splits_are_folders(published, tmp_path):
    """Of every split, as TDFusion's own lists: names with suffix and more in the line."""
    (tmp_path / "mine.txt").write_text("190001.jpg 1,2,3,4,0 5,6,7,8,0\r\nsome/folder/010002.jpg\r\n")
    dataset = known_dataset("llvip", published("llvip"), tmp_path / "mine.txt")
    assert names(dataset) == ["190001", "010002"]
    assert len(dataset.annotations) == 2
    (tmp_path / "wrong.txt").write_text("010099\n")
    with pytest.raises(DataError, match=r"wrong\.txt: lists 010099, and there is no such scene \(did you mean '0100"):
        known_dataset("llvip", published("llvip"), tmp_path / "wrong.txt")


def test_what_is_neither_tree_nor_plain_folders(tmp_path):
    (tmp_path / "Thermal").mkdir()
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(DataError) as error:
        known_dataset("fmb", tmp_path, "train")
    message = str(error.value)
    assert "neither FMB as it unpacks, FMB/, train/{Infrared,Visible,Label,color}/NNNNN.png 1220 each" in message
    assert "nor plain folders ir, vi, label with lists such as train.txt; it holds Thermal/, notes.txt" in message
    assert "\n" not in message
    (tmp_path / "fmb").mkdir()
    with pytest.raises(DataError, match=r"fmbb: no such data folder \(did you mean 'fmb'\?\); set METALOSS_DATA"):
        known_dataset("fmb", tmp_path / "fmbb", "train")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "fbm"}, r"no known data set 'fbm' \(did you mean 'fmb'\?\): choose one of harvard, msrs"),
        ({"split": "val"}, r"split='val': FMB has the splits 'train', 'test': give one of them, a part"),
        ({"split": "tests"}, r"FMB has the splits .*\(did you mean 'test'\?\)"),
        ({"target": "detection"}, r"target='detection': FMB has segmentation labels; give one of these"),
        ({"split": "train[::0]"}, r"expected a part such as"),
    ],
)
def test_what_a_data_set_does_not_have(published, given, message):
    with pytest.raises(ConfigError, match=message):
        known_dataset(**{"name": "fmb", "root": published("fmb"), "split": "train", **given})


def test_protocols(published):
    fmb = known_dataset("fmb", published("fmb"), "test[::99]")
    assert [(each.name, each.says) for each in fmb.protocols] == [
        ("15 classes", "with unlabelled"),
        ("14 classes", "without unlabelled"),
        ("13 classes", "without unlabelled and bicycle"),
    ]
    assert {*range(15)} - {*fmb.protocols[2].ids} == {0, fmb.classes.index("bicycle")}
    ignoring = known_dataset("fmb", published("fmb"), "test[::99]", ignore=0)
    assert [each.name for each in ignoring.protocols] == ["14 classes", "13 classes"]
    assert known_dataset("fmb", published("fmb"), "test[::99]", classes=20).protocols == ()


@pytest.mark.parametrize("record", known_datasets().values(), ids=lambda record: record.name)
def test_the_page_shows_every_record(record):
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    assert record.tree in page
    assert f"| `{record.name}` |" in page
    assert record.licence in page
    assert record.home in page
    for part in record.parts.values():
        assert ", ".join(part.classes) in page
        assert all(each.name in page for each in part.protocols)


@pytest.mark.parametrize(
    "place",
    ["FMB_dataset-20240101T000000Z-001/FMB_dataset", "downloads/FMB (1)", "FMB-master/FMB", "a/b/c", "FMB2"],
)
def test_folders_that_archives_and_downloads_leave_around_it(tmp_path, place):
    tree = tmp_path / place
    for folder, pixels in (("Infrared", grey()), ("Visible", colour()), ("Label", ids(1))):
        put(tree / "train" / folder, ["1.png"], encoded(pixels))
        put(tree / "train" / folder, ["Thumbs.db", ".DS_Store", "._1.png", "readme.txt"], b"left by a system")
    (tmp_path / "__MACOSX").mkdir()
    (tree / "__MACOSX").mkdir()
    assert names(known_dataset("fmb", tmp_path, "train")) == ["1"]


def test_a_folder_inside_of_the_tree_is_told(published):
    tree = published("fmb")
    with pytest.raises(DataError, match=rf"train: lies in FMB as it unpacks: give the folder above, {tree}$"):
        known_dataset("fmb", tree / "train", "train")


def test_sources_and_kinds_of_labels_that_are_misspelt(published):
    with pytest.raises(DataError, match=r"vis: no such folder.*; the sources of MSRS are called ir and vi, and other"):
        known_dataset("msrs", published("msrs") / "train", sources=("ir", "vis"))
    with pytest.raises(ConfigError, match=r"target='segmentaton': .* \(did you mean 'segmentation'\?\)"):
        known_dataset("msrs", published("msrs"), "train", "segmentaton")


def test_some_of_the_classes_are_found_by_the_data_sets_own_ids(published):
    """In the tree no file names the ids; in plain folders names that are given are those of the ids."""
    some = known_dataset("msrs", published("msrs"), "train[:1]", classes=("person", "car"), others="drop")
    assert some[0]["target"].unique().tolist() == [0, 1, 255]
    whole = known_dataset("msrs", published("msrs"), "train[:1]")
    assert ((some[0]["target"] == 0) == (whole[0]["target"] == 2)).all()
    boxes = known_dataset("msrs", published("msrs"), "train[:1]", "detection", classes=("car",))
    assert boxes[0]["target"]["labels"].tolist() == [0]
    with pytest.raises(
        ConfigError, match=r"'persn' is not among the data's own unlabelled, car, .*did you mean 'person'"
    ):
        known_dataset("msrs", published("msrs"), "train[:1]", classes=("car", "persn"))
    renamed = known_dataset("msrs", published("msrs"), "train[:1]", classes=[f"class {k}" for k in range(9)])
    assert (renamed[0]["target"] == whole[0]["target"]).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("010001\n010002\n010001.jpg\n", "'010001' is listed twice, in lines 1 and 3"),
        ("010001 1\n010002 -1\n", "line 2: '010002 -1' is of a list of one class"),
        ("010001\n999991\n999992\n999993\n999994\n", "lists 999991, 999992, 999993 and 1 more, and there is no"),
    ],
)
def test_lists_are_read_as_those_of_other_folders(published, tmp_path, text, said):
    (tmp_path / "mine.txt").write_text(text)
    with pytest.raises(DataError, match=f"mine.txt.*{said}"):
        known_dataset("llvip", published("llvip"), tmp_path / "mine.txt")
    (tmp_path / "mine.txt").write_text("C:\\LLVIP\\visible\\train\\010002.jpg 1\r\ninfrared/test/190001.jpg\r\n")
    assert names(known_dataset("llvip", published("llvip"), tmp_path / "mine.txt")) == ["010002", "190001"]


def test_a_listed_name_that_is_in_two_splits(tmp_path):
    for split in ("train", "test"):
        for folder, pixels in (("Infrared", grey()), ("Visible", colour()), ("Label", ids(1))):
            put(tmp_path / split / folder, ["1.png", f"{split}.png"], encoded(pixels))
    (tmp_path / "mine.txt").write_text("1\ntest\n")
    with pytest.raises(DataError, match=r"mine\.txt: '1' is a scene of 2 splits: rename one of them"):
        known_dataset("fmb", tmp_path, "mine.txt")
    (tmp_path / "mine.txt").write_text("test\n")
    assert names(known_dataset("fmb", tmp_path, "mine.txt")) == ["test"]


def test_mfnet_without_its_list(published, tmp_path):
    put(tmp_path / "mfnet" / "images", ["1.png"], encoded(grey()))
    put(tmp_path / "mfnet" / "labels", ["1.png", "2.png"], encoded(ids(1)))
    with pytest.raises(DataError, match=r"mfnet/train\.txt: no such split file"):
        known_dataset("mfnet", tmp_path, "train")


def test_lists_lie_beside_the_tree_above_it_or_where_python_runs(published, tmp_path, monkeypatch):
    tree = Path(shutil.copytree(published("m3fd"), tmp_path / "downloads" / "M3FD_Detection"))
    monkeypatch.chdir(tmp_path)
    for place in (tree, tree.parent, tmp_path):
        (place / "few.txt").write_text("00007\n00002.png 1,2,3,4,0\n")
        assert names(known_dataset("m3fd", "downloads", "few.txt")) == ["00007", "00002"]
        if place != tree.parent:
            assert names(PairedDataset(tree, sources=("Ir", "Vis"), target=None, split="few.txt")) == ["00007", "00002"]
        (place / "few.txt").unlink()
    with pytest.raises(DataError, match=r"M3FD_Detection/few\.txt: no such split file"):
        known_dataset("m3fd", "downloads", "few.txt")


def test_a_list_with_boxes_in_the_place_of_the_data_sets_own(published, tmp_path):
    tree = Path(shutil.copytree(published("m3fd"), tmp_path / "M3FD_Detection"))
    (tree / "train.txt").write_text("00007.png 1,2,13,14,1\n00002.png 1,2,13,14,0 3,4,15,16,1\n00003.png\n")
    for split, expected in (
        (None, ["00007", "00002", "00003"]),
        ("[:2]", ["00007", "00002"]),
        ("train[-1:]", ["00003"]),
    ):
        dataset = known_dataset("m3fd", tree, split, "train.txt", classes=("person", "car"))
        assert names(dataset) == expected
        assert len(dataset.annotations) == len(expected)
