import pytest

from metaloss.data.patterns import literal, scene_names, wild_parts, words


@pytest.mark.parametrize(
    ("pattern", "name", "parts"),
    [
        ("*_ir.png", "01_ir.png", [("01", "file")]),
        ("*", "a.b.png", [("a.b", "file")]),
        ("*.*", "a.b.png", [("a.b", "file")]),
        ("*_ir.*", "01_ir.tiff", [("01", "file")]),
        ("0[12]*", "01.png", [("1", "file")]),
        ("x??_v?.p?g", "x07_v2.png", [("07", "file"), ("2", "file")]),
        ("*.v1*", "a.v1_x.png", [("a", "file"), ("_x", "file")]),
        ("[!a]?.png", "b1.png", [("b1", "file")]),
        ("*/ir.png", "scene 1/ir.png", [("scene 1", "folder")]),
        ("**/*_ir.png", "01_ir.png", [("", "subfolders"), ("01", "file")]),
        ("**/*_ir.png", "a/b/01_ir.png", [("a/b", "subfolders"), ("01", "file")]),
        ("d*/**/ir/x_*.png", "day/1/ir/x_2.png", [("ay", "folder"), ("1", "subfolders"), ("2", "file")]),
        ("ir/**", "ir/a/1.png", [("a", "subfolders"), ("1", "file")]),
        ("a[1.png", "a[1.png", [("a[1", "file")]),
        ("a[[]1]_*.png", "a[1]_2.png", [("[", "file"), ("2", "file")]),
        ("[a&&b~~c||d--]*.png", "&b.png", [("&b", "file")]),
        ("[!^a]?.png", "b1.png", [("b1", "file")]),
        ("[^a]?.png", "^1.png", [("^1", "file")]),
        ("[]a]?.png", "]1.png", [("]1", "file")]),
        ("x[\\]*.png", "x\\1.png", [("\\1", "file")]),
        ("[z-a0]*.png", "01.png", [("01", "file")]),
    ],
)
def test_what_the_wild_parts_match(pattern, name, parts):
    assert list(wild_parts(pattern)(name)) == parts


def test_names_are_without_subfolders_where_that_tells_them_apart():
    read = wild_parts("**/*_ir.png")
    assert scene_names([read("a/1_ir.png"), read("b/2_ir.png")]) == ["1", "2"]
    assert scene_names([read("a/1_ir.png"), read("b/c/1_ir.png")]) == ["a_1", "b_c_1"]
    read = wild_parts("*/x_*.png")
    assert scene_names([read("day/x_1.png"), read("night/x_2.png")]) == ["day_1", "night_2"]


def test_words_and_literals():
    assert words("images/FLIR_*_ir.png") == ["images", "FLIR", "ir"]
    assert words("d[12]/**/*.png") == ["d"]
    assert literal("ir/*_x[12]?.png") == "ir/_x.png"
