"""``metaloss data convert``, from the command line to the data set that reads its result."""

import json
import re
import shlex
import shutil

import numpy as np
import pytest
from PIL import Image

from metaloss.data import PairedDataset, check_dataset, read_ids

COLOURS = np.array([(0, 0, 0), (128, 64, 0), (0, 0, 255)], dtype=np.uint8)


@pytest.fixture
def root(tmp_path):
    """Two pairs, with colour-coded masks and LabelMe's json."""
    noise = np.random.default_rng(0)
    for folder in ("nir", "red", "coloured", "json"):
        (tmp_path / folder).mkdir()
    for name in "ab":
        for folder in ("nir", "red"):
            Image.fromarray(noise.integers(0, 256, (12, 16), dtype=np.uint8)).save(tmp_path / folder / f"{name}.png")
        ids = np.zeros((12, 16), dtype=np.uint8)
        ids[2:6, 3:9] = 1
        ids[8:, 12:] = 2
        Image.fromarray(COLOURS[ids]).save(tmp_path / "coloured" / f"{name}.png")
        shape = {"label": "weed", "points": [[3, 2], [9, 2], [9, 6], [3, 6]], "shape_type": "polygon", "group_id": None}
        line = {"label": "row", "points": [[0, 0], [9, 9]], "shape_type": "linestrip"}
        content = {"shapes": [shape, line], "imagePath": f"{name}.png", "imageHeight": 12, "imageWidth": 16}
        (tmp_path / "json" / f"{name}.json").write_text(json.dumps(content))
    (tmp_path / "colours.txt").write_text("0 0 0 soil\n128 64 0 crop\n0 0 255 sugar beet\n")
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def data_set(out):
    """What the printed line makes."""
    [line] = re.findall(r"^  (PairedDataset\(.*\))$", out, re.MULTILINE)
    return eval(line, {"PairedDataset": PairedDataset})


def test_colours_become_ids_that_the_printed_line_reads(command, root):
    before = contents(root / "coloured")
    done = command("data", "convert", root / "coloured", root / "label", "--colours", root / "colours.txt")
    assert (done.status, done.err) == (0, "")
    dataset = data_set(done.out)
    check_dataset(dataset)
    assert dataset.sources == ("nir", "red")  # the folders beside it
    assert dataset.classes == ("soil", "crop", "sugar beet")
    target = dataset[1]["target"]
    assert (target[2:6, 3:9] == 1).all()
    assert target.flatten().bincount().tolist() == [192 - 24 - 16, 24, 16]
    assert contents(root / "coloured") == before
    rows = [line.split() for line in done.out.splitlines()]
    assert ["crop", "1", "2", "48", "12.50", "%"] in rows
    assert sorted(path.name for path in (root / "label").iterdir()) == ["a.png", "b.png", "classes.txt"]


def test_the_printed_options_are_those_of_a_training(command, root):
    pytest.importorskip("mmengine")
    from metaloss.engine.config import load_config
    from metaloss.engine.overrides import parse_options

    out = command("data", "convert", root / "coloured", root / "label", "--colours", root / "colours.txt").out
    [line] = re.findall(r"^  metaloss train CONFIG --cfg-options (.*)$", out, re.MULTILINE)
    config = load_config("tdfusion/segformer_msrs", parse_options(shlex.split(line)))
    dataset = config.train_dataloader.dataset
    assert (dataset.root, dataset.target) == (str(root), "label")
    assert tuple(dataset.sources) == ("nir", "red")
    assert tuple(dataset.classes) == ("soil", "crop", "sugar beet")


def test_pixels_of_no_class_have_a_row(command, root):
    options = ("--colours", root / "colours.txt", "--classes", "soil,crop", "--others", "ignore")
    done = command("data", "convert", root / "coloured", root / "label", *options)
    assert (done.status, done.err) == (0, "")
    rows = [line.split() for line in done.out.splitlines()]
    assert ["(ignored)", "255", "32", "8.33", "%"] in rows
    assert ["class", "sugar", "beet,", "now", "ignored:", "pixels", "32"] in rows
    assert data_set(done.out).classes == ("soil", "crop")


def test_labelme_becomes_boxes(command, root):
    shutil.rmtree(root / "coloured")
    done = command("data", "convert", root / "json", root / "boxes", "--to", "boxes")
    assert (done.status, done.err) == (0, "")
    dataset = data_set(done.out)
    check_dataset(dataset)
    assert dataset[0]["target"]["boxes"][0].tolist() == pytest.approx([3, 2, 9, 6])
    assert re.search(r"^linestrip: has no area +2$", done.out, re.MULTILINE)
    assert "2 files of YOLO boxes" in done.out


def test_colours_are_listed_with_the_most_frequent_first(command, root):
    done = command("data", "convert", root / "coloured", root / "label", "--colours=auto")
    names = [line.split()[0] for line in done.out.splitlines() if line.startswith("rgb_")]
    assert names == ["rgb_0_0_0", "rgb_128_64_0", "rgb_0_0_255"]
    assert data_set(done.out).classes == ("rgb_0_0_0", "rgb_0_0_255", "rgb_128_64_0")


def test_a_result_is_not_written_over_unasked(command, refused, root):
    arguments = ("data", "convert", root / "json", root / "label")
    (root / "label").mkdir()
    (root / "label" / "a.png").write_text("mine")
    (root / "label" / "c.txt").write_text("mine")
    assert (
        refused(*arguments) == f"OUT {root / 'label'}: is not empty (a.png, c.txt): give another folder, or --overwrite"
    )
    assert (root / "label" / "a.png").read_text() == "mine"
    done = command(*arguments, "--overwrite")
    assert done.status == 0
    assert done.err == f"warning: {root / 'label'} holds other files, left as they were: c.txt\n"
    assert read_ids(root / "label" / "a.png").shape == (12, 16)
    assert (root / "label" / "c.txt").read_text() == "mine"


def test_a_link_to_a_source_is_replaced_and_not_followed(command, root):
    (root / "label").mkdir()
    (root / "label" / "a.png").symlink_to(root / "coloured" / "a.png")
    before = contents(root / "coloured")
    arguments = ("data", "convert", root / "coloured", root / "label", "--colours", root / "colours.txt")
    assert command(*arguments, "--overwrite").status == 0
    assert contents(root / "coloured") == before
    assert not (root / "label" / "a.png").is_symlink()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("coloured", "label"), "{root}/coloured: colour-coded masks, and --colours is missing"),
        (("colourd", "label"), "{root}/colourd: no such file or folder (did you mean 'coloured'?)"),
        (("json", "json"), "OUT {root}/json: lies in {root}/json, which is left as it is"),
        (("json", "json/ids"), "OUT {root}/json/ids: lies in {root}/json"),
        (("coloured/a.png", "coloured", "--overwrite"), "OUT {root}/coloured: holds {root}/coloured/a.png"),
        (("json", "colours.txt"), "OUT {root}/colours.txt: is a file; give a folder"),
        (("coloured", "label", "--colours", "{root}/colour.txt"), "{root}/colour.txt: no such file (did you mean"),
        (("json", "label", "--from", "yolo"), "{root}/json: no YOLO txt in it (.txt)"),
        (("json", "label", "--classes", "weeds"), "--classes: none of them is among weed"),
    ],
)
def test_refused_in_one_line_with_nothing_written(refused, root, arguments, message):
    before = contents(root)
    source, out, *options = arguments
    line = refused("data", "convert", root / source, root / out, *(option.format(root=root) for option in options))
    assert line.startswith(message.format(root=root))
    assert contents(root) == before
    assert not (root / "label").exists()


def test_help(command):
    for arguments, word in (
        (("data",), "convert"),
        (("data", "-h"), "convert"),
        (("data", "convert", "-h"), "--colours"),
    ):
        done = command(*arguments)
        assert word in done.out + done.err
