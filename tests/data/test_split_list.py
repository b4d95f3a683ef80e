"""Lists of scenes as people have them."""

import pytest
from PIL import Image

from metaloss.data import pair_by_stem
from metaloss.errors import DataError


@pytest.fixture
def names(tmp_path):
    """Makes scenes, writes a list, and gives the names of the pairs."""

    def read(scenes, text, sources=("ir", "vi"), encoding="utf-8"):
        for scene in scenes:
            for source in sources:
                path = tmp_path / (source.replace("*", scene) if "*" in source else f"{source}/{scene}.png")
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("L", (4, 3)).save(path)
        (tmp_path / "train.txt").write_bytes(text.encode(encoding))
        return [pair.name for pair in pair_by_stem(tmp_path, sources, split="train.txt")]

    return read


@pytest.mark.parametrize(
    "text",
    [
        "b\na\n",
        "b.png\na.jpg",
        "ir\\b.png\r\nir\\a.png\r\n",
        "JPEGImages/b.png\nJPEGImages\\a.png",
        "C:\\data\\ir\\b.png\n/somewhere/else/vi/a.png",
        "  b  \n\n# a comment\n\ta",
        "\ufeffb\na",
        "labels/b.txt\nAnnotations/a.xml",
        "ir/b.png vi/b.png\nir/a.png\tvi/a.png labels/a.png",
        "ir/b.png,vi/b.png\nir/a.png; vi/a.png",
        "my data/ir/b.png\n/other (1)/ir\\a.png",
        "b 1\na  1",  # Pascal VOC's, of one class
        "b 12,34,56,78,0 1,2,3,4,2\na 0.5,1,2.5,3,1",  # TDFusion's
        "ir/b.png 12,34,56,78,0\na",
    ],
)
def test_forms_of_lines(names, text):
    assert names(("a", "b", "c"), text) == ["b", "a"]


def test_stems_with_spaces_dots_and_digits(names):
    scenes = ("scene one", "v1.0", "v1.1", "000012 x", "a 1", "été.2")
    lines = ("v1.1", "scene one", "ir\\a 1.png", "vi/v1.0.png", "000012 x", "été.2")
    assert names(scenes, "\r\n".join(lines)) == ["v1.1", "scene one", "a 1", "v1.0", "000012 x", "été.2"]


def test_names_of_files_in_patterns(names):
    sources = ("d/*_ir.png", "d/*_vi.png")
    assert names(("1", "2", "3"), "3\n1_ir\nd\\2_vi.png", sources) == ["3", "1", "2"]


def test_paths_tell_scenes_of_one_stem_apart(names):
    sources = ("*/1_ir.png", "*/1_vi.png")
    assert names(("day", "night"), "night/1_ir.png\nday\\1_vi.png", sources) == ["night", "day"]
    with pytest.raises(DataError, match=r"train\.txt, line 2: '1_ir' may be the scene 'day' or 'night'"):
        names(("day", "night"), "day\n1_ir", sources)


@pytest.mark.parametrize(
    ("scenes", "text", "words"),
    [
        (("a", "a 1"), "a 1", "line 1: 'a 1' may be the scene 'a' or 'a 1'"),
        (("a", "a 1,2,3,4,5"), "a 1,2,3,4,5", "line 1: .* may be the scene"),
        (("a", "b", "a.png"), "b\n\na.png", "line 3: 'a.png' may be the scene 'a' or 'a.png'"),
        (("a", "b"), "b 1\na -1", "line 2: 'a -1' is of a list of one class, .*'a' is not of it"),
        (("a", "b"), "a 0\nb 1", "line 1: 'a 0' is of a list of one class"),
        (("a", "b"), "a b", "line 1: 'a b' may be the scene 'a' or 'b'"),
        (("a", "b"), "b\nir/a.png vi/b.png", "line 2: .* may be the scene 'a' or 'b'"),
        (("a", "b"), "ir/c.png vi/a.png", "lists 'ir/c.png vi/a.png', which is in no folder"),
        (("a", "b"), "ir/c.png,vi/a.png", "lists 'ir/c.png,vi/a.png', which is in no folder"),
        (("a", "#b"), "a\n#b", "line 2: '#b' is a comment, and the name of a scene"),
        (("a", "b"), "a\nb\nir/a.png", "'a' is listed twice, in lines 1 and 3"),
        (("a", "b"), "a\nb 7", "lists 'b 7', which is in no folder"),
        (("a", "b"), "a\nc 1", "lists 'c', which is in no folder"),
    ],
)
def test_what_is_unclear_is_refused(names, scenes, text, words):
    with pytest.raises(DataError, match=words) as error:
        names(scenes, text)
    assert "\n" not in str(error.value)


def test_another_encoding(names):
    assert names(("a", "é"), "é\r\na\r\n", encoding="utf-16") == ["é", "a"]  # as Windows' shells write
    with pytest.raises(DataError, match="cannot be read as text in UTF-8; expected one scene per line"):
        names(("é",), "é\n", encoding="latin-1")


def test_capitals_that_differ_are_told(names):
    with pytest.raises(
        DataError, match=r"train\.txt: lists 'FLIR_1\.JPG', which is in no folder \(did you mean 'flir_1'"
    ):
        names(("flir_1", "b"), "FLIR_1.JPG\n")
    with pytest.raises(DataError, match=r"lists 'w', 'x', 'y' and 1 more, which are in no folder: correct the list"):
        names(("a", "b"), "a\nw\nx\ny\nz\n")
