"""Lists of colours."""

import json
import re

import pytest

from metaloss.data.convert.colours import nearest_colour, read_colours
from metaloss.errors import DataError

EXPECTED = {0x000000: "background", 0x804000: "person", 0x0000FF: "traffic light"}

TEXTS = {
    "rgb first": "0 0 0 background\n128 64 0 person\n\n0 0 255 traffic light\n",
    "rgb last": "background 0 0 0\nperson 128 64 0\ntraffic light 0 0 255\n",
    "commas": "# of the city\n0,0,0,background\n128, 64, 0, person\n0,0,255,traffic light",
    "hexadecimal": "#000000 background\n#804000 person\n#0000FF traffic light",
    "hexadecimal last": "background #000000\nperson: #804000\ntraffic light #0000ff",
    "labelmap.txt": "# label:color_rgb:parts:actions\nbackground:0,0,0::\nperson:128,64,0::\ntraffic light:0,0,255::\n",
    "class_dict.csv": "name,r,g,b\nbackground,0,0,0\nperson,128,64,0\ntraffic light,0,0,255\n",
    "another csv": "r,g,b,name\n0,0,0,background\n128,64,0,person\n0,0,255,traffic light\n",
}
MAPS = {
    "by name": {"background": [0, 0, 0], "person": "#804000", "traffic light": [0, 0, 255]},
    "by colour": {"#000000": "background", "128, 64, 0": "person", "[0, 0, 255]": "traffic light"},
    "entries": [
        {"name": "background", "color": "#000000"},
        {"label": "person", "color": [128, 64, 0]},
        {"name": "traffic light", "colour": "0,0,255"},
    ],
}


@pytest.mark.parametrize("name", TEXTS)
def test_lines(tmp_path, name):
    path = tmp_path / "colours.txt"
    path.write_text(TEXTS[name])
    assert read_colours(path) == EXPECTED
    assert list(read_colours(path)) == list(EXPECTED)


@pytest.mark.parametrize("name", MAPS)
def test_maps(tmp_path, name):
    yaml = pytest.importorskip("yaml")
    (tmp_path / "a.json").write_text(json.dumps(MAPS[name]))
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(MAPS[name], sort_keys=False))
    assert read_colours(tmp_path / "a.json") == EXPECTED
    assert read_colours(tmp_path / "a.yaml") == EXPECTED


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0 0 a\n1 2 b", "line 2: '1 2 b' is no colour with a name"),
        ("0 0 0 a\n3 1 2 3 b", "line 2: '3 1 2 3 b' has more than three numbers, or no name"),
        ("road 0 128 64 128", "more than three numbers"),
        ("7 128 64 128", "or no name"),
        ("0 256 0 a", "line 1: colour 0 256 0; expected red, green and blue in 0..255"),
        ("1 2 3 a\n1 2 3 b", "line 2: colour 1 2 3 (#010203) is 'a' already, and here 'b'"),
        ("# nothing\n", "lists no colour"),
    ],
)
def test_lines_that_are_none(tmp_path, text, message):
    (tmp_path / "colours.txt").write_text(text)
    with pytest.raises(DataError, match=re.escape(message)):
        read_colours(tmp_path / "colours.txt")


@pytest.mark.parametrize(
    "content", [{"a": [1, 2]}, {"a": [0.5, 0.5, 0.5]}, {"a": "b"}, 3, [{"name": "a"}], {"a": [-1, 0, 0]}]
)
def test_maps_that_are_none(tmp_path, content):
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"a\.json"):
        read_colours(tmp_path / "a.json")


def test_a_file_that_is_missing_and_the_nearest(tmp_path):
    (tmp_path / "colours.txt").write_text("0 0 0 a")
    with pytest.raises(DataError, match=re.escape("colors.txt: no such file (did you mean 'colours.txt'?)")):
        read_colours(tmp_path / "colors.txt")


def test_nearest_colour():
    known = [0x000000, 0xFFFFFF, 0x800000]
    assert nearest_colour(0x900505, known) == 0x800000
    assert nearest_colour(0xF0F0F0, known) == 0xFFFFFF
    assert nearest_colour(0x400000, known) == 0x000000  # as far from the third: the first counts
