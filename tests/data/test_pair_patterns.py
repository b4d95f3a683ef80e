"""Names that differ by a prefix or a suffix, paired by patterns."""

import ast

import pytest
from PIL import Image

from metaloss.data import PairedDataset, pair_by_stem, pair_folders
from metaloss.errors import DataError


def make(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 3)).save(root / name)
    return root


def paired(pairs, root):
    """By scene the names of its files, relative to the root."""
    files = {pair.name: [*pair.sources, *([pair.target] if pair.target else [])] for pair in pairs}
    return {name: [path.relative_to(root).as_posix() for path in each] for name, each in files.items()}


def test_suffixes_in_one_folder_with_masks_in_another(tmp_path):
    scenes = ("01", "a b", "v1.0", "x_ir")
    make(tmp_path, *(f"images/{name}_{source}.png" for name in scenes for source in ("ir", "vi")))
    make(tmp_path, *(f"labels/{name}_mask.png" for name in scenes))
    sources = ("images/*_ir.png", "images/*_vi.png")
    pairs = pair_by_stem(tmp_path, sources, "labels/*_mask.png")
    assert paired(pairs, tmp_path) == {
        name: [f"images/{name}_ir.png", f"images/{name}_vi.png", f"labels/{name}_mask.png"] for name in scenes
    }
    dataset = PairedDataset(tmp_path, sources=sources, target="labels/*_mask.png", classes=3)
    assert dataset.sources == ("ir", "vi")
    assert (len(dataset), dataset[0]["names"]) == (4, "01")


def test_flir_as_it_was_first_given_and_as_it_was_aligned(tmp_path):
    make(tmp_path / "first", *(f"d/FLIR_{k:05d}{end}.jpg" for k in (1, 2) for end in ("", "_RGB")))
    expected = {f"FLIR_{k:05d}": [f"d/FLIR_{k:05d}.jpg", f"d/FLIR_{k:05d}_RGB.jpg"] for k in (1, 2)}
    for sources in (("d/*.jpg", "d/*_RGB.jpg"), ("d", "d/*_RGB.jpg")):
        assert paired(pair_by_stem(tmp_path / "first", sources), tmp_path / "first") == expected
    assert list(paired(pair_by_stem(tmp_path / "first", ("d/*_RGB.jpg", "d/*.jpg")), tmp_path / "first")) == [*expected]

    aligned = tmp_path / "align"
    names = [f"FLIR_{k:05d}" for k in (2, 5, 8)]
    make(aligned, *(f"JPEGImages/{name}_{end}" for name in names for end in ("PreviewData.jpeg", "RGB.jpg")))
    (aligned / "Annotations").mkdir()
    for name in names:
        (aligned / "Annotations" / f"{name}_PreviewData.xml").write_text(
            f"<annotation><object><name>person</name><bndbox><xmin>0</xmin><ymin>0</ymin><xmax>2</xmax>"
            f"<ymax>{1 + names.index(name)}</ymax></bndbox></object></annotation>"
        )
    (aligned / "align_train.txt").write_text("FLIR_00008_PreviewData\r\nFLIR_00002_PreviewData\r\n")
    for target in ("Annotations", "Annotations/*_PreviewData.xml"):
        dataset = PairedDataset(
            aligned,
            sources=("JPEGImages/*_PreviewData.jpeg", "JPEGImages/*_RGB.jpg"),
            target=target,
            split="align_train.txt",
            classes=("person", "bicycle", "car"),
        )
        assert [pair.name for pair in dataset.pairs] == ["FLIR_00008", "FLIR_00002"]
        assert dataset.sources == ("PreviewData", "RGB")
        assert [item["target"]["boxes"][0, 3].item() for item in dataset] == [3, 1]


def test_prefixes_with_a_folder_of_plain_names(tmp_path):
    make(tmp_path, "ir/ir_1.png", "ir/ir_2.png", "vi/1.jpg", "vi/2.jpg", "label/gt-1.png", "label/gt-2.png")
    pairs = pair_by_stem(tmp_path, ("ir/ir_*", "vi"), "label/gt-*.png")
    assert paired(pairs, tmp_path)["2"] == ["ir/ir_2.png", "vi/2.jpg", "label/gt-2.png"]


def test_folders_of_scenes_and_subfolders(tmp_path):
    make(tmp_path / "s", *(f"{scene}/{source}.png" for scene in ("s1", "s2") for source in ("ir", "vi")))
    assert list(paired(pair_by_stem(tmp_path / "s", ("*/ir.png", "*/vi.png")), tmp_path / "s")) == ["s1", "s2"]
    deep = make(
        tmp_path / "deep", *(f"{day}/{k}_{s}.png" for day in ("a", "b/c") for k in (1, 2) for s in ("ir", "vi"))
    )
    pairs = paired(pair_by_stem(deep, ("**/*_ir.png", "**/*_vi.png")), deep)
    assert pairs["b_c_2"] == ["b/c/2_ir.png", "b/c/2_vi.png"]
    assert list(pairs) == ["a_1", "a_2", "b_c_1", "b_c_2"]
    mixed = make(tmp_path / "mixed", "ir/a/1_ir.png", "ir/b/2_ir.png", "vi/1_vi.png", "vi/2_vi.png")
    pairs = paired(pair_by_stem(mixed, ("ir/*/*_ir.png", "vi/*_vi.png")), mixed)
    assert pairs == {"1": ["ir/a/1_ir.png", "vi/1_vi.png"], "2": ["ir/b/2_ir.png", "vi/2_vi.png"]}


def test_stems_that_agree_stay_the_names(tmp_path):
    make(tmp_path, *(f"{source}/{k:05d}{day}.png" for source in ("ir", "vi") for k in (1, 2) for day in "DN"))
    pairs = paired(pair_by_stem(tmp_path, ("ir/*N.png", "vi/*N.png")), tmp_path)
    assert list(pairs) == ["00001N", "00002N"]


def test_any_folders(tmp_path, monkeypatch):
    make(tmp_path, "d/1_ir.png", "d/1_vi.png", "d/2_ir.png", "d/2_vi.png")
    assert [pair.name for pair in pair_folders([tmp_path / "d/*_ir.png", str(tmp_path / "d/*_vi.png")])] == ["1", "2"]
    monkeypatch.chdir(tmp_path / "d")
    assert [pair.name for pair in pair_folders(["*_ir.png", "*_vi.png"])] == ["1", "2"]


def test_the_roots_own_name_may_look_like_a_pattern(tmp_path):
    root = make(tmp_path / "data[1]", "x/1_ir.png", "x/1_vi.png", "ir/1.png", "vi/1.png")
    assert [pair.name for pair in pair_by_stem(root, ("x/*_ir.png", "x/*_vi.png"))] == ["1"]
    with pytest.raises(DataError, match=r"irr: no such folder \(did you mean 'ir'\?\)"):
        pair_by_stem(root, ("irr", "vi"))


@pytest.mark.parametrize(
    ("ir", "vi", "written"),
    [
        ("{}_ir", "{}_vi", "sources=('ir/*_ir.png', 'vi/*_vi.png')"),
        ("ir-{}", "vi-{}", "sources=('ir/ir-*.png', 'vi/vi-*.png')"),
        ("{}", "{}_vi", "sources=('ir', 'vi/*_vi.png')"),
        ("FLIR_{}_PreviewData", "FLIR_{}_RGB", "sources=('ir/*_PreviewData.png', 'vi/*_RGB.png')"),
        ("a{}z", "b{}", "sources=('ir/a*z.png', 'vi/b*.png')"),
    ],
)
@pytest.mark.parametrize("scenes", [("0001", "0002", "0010"), ("1", "2", "10"), ("7",)])
def test_the_pattern_to_write_is_in_the_error(tmp_path, ir, vi, written, scenes):
    make(tmp_path, *(f"ir/{ir.format(name)}.png" for name in scenes), *(f"vi/{vi.format(name)}.png" for name in scenes))
    with pytest.raises(DataError) as error:
        pair_by_stem(tmp_path, ("ir", "vi"))
    if len(scenes) == 1 and ir == "a{}z":  # of one file nothing tells where its name begins and ends
        assert "sources=" not in str(error.value)
        return
    assert "no stem is in all of them" in str(error.value)
    assert written in str(error.value)
    sources = ast.literal_eval(written.removeprefix("sources="))
    assert len(pair_by_stem(tmp_path, sources)) == len(scenes)


def test_the_pattern_of_labels_is_in_the_error(tmp_path):
    make(tmp_path, *(f"{name}.png" for k in (1, 2) for name in (f"ir/{k}", f"vi/{k}", f"label/{k}_mask")))
    with pytest.raises(DataError, match=r"sources=\('ir', 'vi'\), target='label/\*_mask.png'"):
        pair_by_stem(tmp_path, ("ir", "vi"), "label")
    with pytest.raises(DataError, match=r"write '.*ir' '.*label/\*_mask.png'"):
        pair_folders([tmp_path / "ir", tmp_path / "label"])
    make(tmp_path, "vi/3.png")
    with pytest.raises(DataError, match=r"label has no partner for"):  # no pattern would pair everything
        pair_by_stem(tmp_path, ("ir", "vi"), "label")


def test_patterns_with_something_missing(tmp_path):
    make(tmp_path, "d/1_ir.png", "d/2_ir.png", "d/1_vi.png")
    with pytest.raises(DataError, match=r"\*_vi\.png has no partner for d/2_ir\.png"):
        pair_by_stem(tmp_path, ("d/*_ir.png", "d/*_vi.png"))
    with pytest.raises(DataError, match=r"\*_th\.png: no image files"):
        pair_by_stem(tmp_path, ("d/*_ir.png", "d/*_th.png"))
    make(tmp_path, "d/_ir.png", "d/_vi.png", "d/2_vi.png")
    with pytest.raises(DataError, match="which is no name"):
        pair_by_stem(tmp_path, ("d/*_ir.png", "d/*_vi.png"))
    make(tmp_path / "deep", "a/b_c/1_ir.png", "a_b/c/1_ir.png", "a/b_c/1_vi.png", "a_b/c/1_vi.png")
    with pytest.raises(DataError, match="the name 'a_b_c_1', too"):
        pair_by_stem(tmp_path / "deep", ("*/*/*_ir.png", "*/*/*_vi.png"))


def test_images_in_subfolders_alone(tmp_path):
    make(tmp_path, "ir/day/1.png", "vi/1.png")
    with pytest.raises(DataError, match=r"ir: no image files .*; there are some in .*ir/day: .*ir/\*\*/\*"):
        pair_by_stem(tmp_path, ("ir", "vi"))
    assert [pair.name for pair in pair_by_stem(tmp_path, ("ir/**/*", "vi"))] == ["1"]
