"""What the page says, without a browser."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_hex
from PIL import Image
from run_folders import draw_strip

from metaloss.report.page.build import build
from metaloss.report.page.charts import SOURCE_COLOURS
from metaloss.report.page.frames import FRAMES, panels_of, thinned
from metaloss.report.page.picture_section import _VIRIDIS
from metaloss.report.page.run import read_run
from metaloss.report.signal_file import read_signal

SIGNAL = {
    "asked": ["tdfusion/x, after 9 steps", "asked by 12 pairs"],
    "own": "image",
    "updates": {
        "image": {
            "one_sided": 0.04,
            "agreement": None,
            "regions": {
                "person": {"ir": {"mean": 1.5, "t": 5.0, "pairs": 12}, "vi": {"mean": -1.5, "t": -5, "pairs": 12}}
            },
        }
    },
}


class Page(HTMLParser):
    """The text, the tags and the data of a page."""

    VOID = ("meta", "link", "img", "input", "line")

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.words, self.scripts = [], [], [], []
        self.feed(html)
        assert self.open == []
        self.words = " ".join(self.words)
        self.data = json.loads(self.scripts[0])

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif self.open and self.open[-1] != "style" and data.strip():
            self.words.append(" ".join(data.split()))

    def chart(self, title):
        """The figure under a title."""
        places = [attrs["id"] for _, attrs in self.tags if attrs.get("class") == "plot"]
        labels = [attrs["aria-label"] for _, attrs in self.tags if attrs.get("class") == "plot"]
        starts = (f"Line chart of {title} by epoch.", f"Bar chart of {title}:")
        [place] = [place for place, label in zip(places, labels, strict=True) if label.startswith(starts)]
        return self.data["charts"][place]


def page_of(*runs):
    return Page(build(runs).html("/* plotly */"))


def pixel(uri):
    kind, _, content = uri.partition(";base64,")
    assert kind in ("data:image/png", "data:image/jpeg")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB"))[5, 5].tolist()


def test_curves_of_one_run(leave):
    page = page_of(read_run(leave(), "mine"))
    outer = page.chart("outer loss")["data"]
    assert [(line["x"], line["y"]) for line in outer] == [([1, 2, 3, 4], [0.5, 0.25, 0.166667, 0.125])]
    person = page.chart("on person")
    bands = [line for line in person["data"] if line.get("fill")]
    lines = {line["name"]: line for line in person["data"] if not line.get("fill")}
    assert lines["ir, on person"]["y"] == [0.5, 0.6, 0.7, 0.8, 0.9]
    assert lines["vi, elsewhere"]["y"] == [0.5] * 5
    for source, colour in (("ir", SOURCE_COLOURS[0]), ("vi", SOURCE_COLOURS[1])):
        assert {line["line"]["color"] for name, line in lines.items() if name.startswith(source)} == {colour}
    # the band: 0.9 + 0.2 ends at 1, and 0.9 - 0.2
    assert bands[0]["y"][4:6] == [1.0, 0.7]
    assert bands[0]["fillcolor"].startswith(SOURCE_COLOURS[0])
    assert person["layout"]["yaxis"]["title"]["text"] == "weight"
    assert person["layout"]["xaxis"]["title"]["text"] == "epoch"
    assert "At the last validation" in page.words
    assert "person 0.900 ± 0.200 0.500 0.100 ± 0.200 0.500" in page.words
    for words in ("outer loss 0.5 → 0.125", "mIoU 0 → 40", "EN 6 → 10", "4 of 4", "EN ↑", "higher is better"):
        assert words in page.words, words
    assert "Nobody has asked" in page.words


def test_the_slider_has_every_epochs_pictures(leave):
    page = page_of(read_run(leave(), "mine"))
    images = [attrs for tag, attrs in page.tags if tag == "img"]
    assert [attrs["alt"] for attrs in images] == [
        f"{title}, scene night" for title in ("ir", "vi", "fused", "weight of ir", "weight of vi")
    ]
    assert [pixel(attrs["src"])[0] for attrs in images] == [20, 60, 140, 190, 160]
    [slider] = [attrs for tag, attrs in page.tags if tag == "input"]
    assert (slider["max"], slider["value"]) == ("4", "4")
    assert page.data["epochs"] == [0, 1, 2, 3, 4]
    moving = [page.data["frames"][attrs["data-frames"]] for attrs in images if "data-frames" in attrs]
    assert len(moving) == 3
    assert [pixel(uri) for uri in moving[0].values()] == [[100 + 10 * epoch] * 3 for epoch in range(5)]
    assert [pixel(uri)[0] for uri in moving[2].values()] == [200 - 10 * epoch for epoch in range(5)]


def test_several_runs(leave):
    first, second = read_run(leave("a/one"), "one"), read_run(leave("a/two", lr=0.01, done=2), "two")
    page = page_of(first, second)
    lines = page.chart("outer loss")["data"]
    assert [(line["name"], line["x"], line["line"]["dash"]) for line in lines] == [
        ("one", [1, 2, 3, 4], "solid"),
        ("two", [1, 2], "dash"),
    ]
    weights = [line for line in page.chart("weight of each source")["data"] if not line.get("fill")]
    assert [(line["name"], line["line"]["color"], line["line"]["dash"]) for line in weights] == [
        (f"{source}, {run}", SOURCE_COLOURS[k], dash)
        for run, dash in (("one", "solid"), ("two", "dash"))
        for k, source in enumerate(("ir", "vi"))
    ]
    assert "setting one two lr 0.001 0.01 At the top" in page.words  # and of its places nothing
    assert "two: 2 of 4 epochs are done" in page.words
    assert "class, run ir on ir elsewhere vi on vi elsewhere person, one 0.900 ± 0.200 0.500 0.100" in page.words
    assert "person, two 0.700 ± 0.100 0.500 0.300" in page.words
    assert sum(tag == "img" for tag, _ in page.tags) == 10
    assert "fused, scene night, run two" in {attrs.get("alt") for _, attrs in page.tags}


def test_runs_of_other_sources_keep_their_own_weights(leave):
    first, second = read_run(leave("a/one"), "one"), read_run(leave("a/two", done=2), "two")
    second.sources = ["mri", "pet"]
    third = read_run(leave("a/three", done=2), "three")
    for k in (0, 1):  # never validated: what the training's steps had
        third.scalars.epochs[f"epoch/fusion/weight_{k}"] = third.scalars.epochs.pop(f"weight_{k}")
    page = page_of(first, second, third)
    for words in ("of ir 0.5 → 0.9 - 0.5 → 0.7", "of mri - 0.5 → 0.7 -", "of pet - 0.5 → 0.3 -"):
        assert f"mean weight {words}" in page.words, words
    assert page.chart("weight of each source")["layout"]["shapes"][0]["y0"] == 0.5
    third.sources = ["ir", "vi", "depth"]
    page = page_of(first, second, third)  # no one line of equal weights
    assert "shapes" not in page.chart("weight of each source")["layout"]
    assert "equal weights." not in page.words


def test_names_from_files_are_no_markup(leave):
    bad = "<img src=x onerror=alert(1)>&\"'"
    run = read_run(leave(f"runs/<b>{bad[:5]}", scene="<i>&amp;'x", **{bad: 1.0, f"weight/ir/on/{bad[:4]}": 0.5}), bad)
    run.notes.append("</ul><script>alert(2)</script>")
    run.first["</script><b>"] = "</dd><script>"
    html = build([run]).html("/* plotly */")
    page = Page(html)
    assert {tag for tag, _ in page.tags}.isdisjoint({"b-", "i-"})
    assert not [attrs for tag, attrs in page.tags if tag == "img" and attrs.get("src") == "x"]
    assert len(page.scripts) == 3
    for words in ("</ul><script>alert(2)</script>", "</script><b>", bad):
        assert words in page.words
    assert all("<" not in line.get("name", "") for each in page.data["charts"].values() for line in each["data"])


def test_nothing_comes_from_elsewhere(leave):
    html = build([read_run(leave(), "mine")]).html("/* plotly */")
    [policy] = [attrs["content"] for tag, attrs in Page(html).tags if attrs.get("http-equiv")]
    assert policy.startswith("default-src 'none'; img-src data: blob:;")
    assert policy.count("sha256-") == 2
    assert not re.search(r"(src|href)=\"?(https?:)?//", html)


def test_a_run_with_little_is_a_page_as_well(leave):
    folder = leave(done=0)
    for path in [*folder.glob("*/vis_data/vis_image/*"), *folder.glob("*/vis_data/scalars.json")]:
        path.unlink()
    page = page_of(read_run(folder, "mine"))
    for words in ("no numbers of a whole epoch", "None were kept.", "No outer loss", "batch_size"):
        assert words in page.words, words


def test_numbers_that_are_not_finite(leave):
    page = page_of(read_run(leave(mAP50=float("nan"), done=2), "mine"))
    assert page.chart("mAP50")["data"][0]["y"] == [None, None]


def test_pictures_are_few_and_small(tmp_path):
    assert thinned(range(5)) == [0, 1, 2, 3, 4]
    many = thinned(range(201))
    assert (len(many), many[0], many[-1]) == (FRAMES, 0, 200)
    assert set(np.diff(many)) <= {8, 9}
    draw_strip(tmp_path / "large.png", 0, size=(480, 640))
    [first, *_] = panels_of({3: tmp_path / "large.png"}, [0, 3], ("ir", "vi"))
    image = Image.open(io.BytesIO(base64.b64decode(first.frames[3].partition(",")[2])))
    assert (image.size, image.format) == ((320, 240), "JPEG")
    draw_strip(tmp_path / "odd.png", 0, size=(8, 7), panels=4)
    for path, words in ((tmp_path / "odd.png", "no row of 5 pictures"), (tmp_path / "none.png", "no picture, or dam")):
        with pytest.raises(ValueError, match=words):
            panels_of({0: path}, [0], ("ir", "vi"))


def test_a_damaged_picture_is_said(leave):
    folder = leave()
    next(folder.glob("*/vis_data/vis_image/val_night_2.png")).write_bytes(b"\x89PNG")
    assert "val_night_2.png is no picture, or damaged" in page_of(read_run(folder, "mine")).words


def test_the_signal(leave):
    folder = leave()
    (folder / "signal.json").write_text(json.dumps(SIGNAL))
    Image.new("RGB", (2200, 20)).save(folder / "signal.png")
    page = page_of(read_run(folder, "mine"))
    [bars] = page.chart("asked of ir, image update (this config)")["data"]
    assert (bars["y"], bars["x"], bars["error_x"]["array"]) == (["person"], [1.5], [0.3])
    assert bars["marker"]["color"] == [SOURCE_COLOURS[0]]
    assert "image (this config) 0.04 -" in page.words
    assert [attrs["width"] for tag, attrs in page.tags if attrs.get("class") == "maps"] == ["1100"]
    (folder / "signal.json").write_text("{}")
    assert "not what `metaloss doctor --signal` writes" in page_of(read_run(folder, "mine")).words


def test_the_signal_where_the_doctor_leaves_it(leave, tmp_path):
    folder = leave("work_dirs/mine/x")
    place = tmp_path / "work_dirs" / "signal" / "mine" / "x.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(SIGNAL))
    assert read_run(folder, "x").signal == read_signal(place)


def test_the_scale_has_the_colours_of_the_maps():
    colours = _VIRIDIS.split(", ")
    expected = [to_hex(colormaps["viridis"](place)) for place in np.linspace(0, 1, len(colours))]
    assert colours == expected
