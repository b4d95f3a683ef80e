"""Masks to masks of class ids."""

import re

import numpy as np
import pytest
from PIL import Image

from metaloss.data import PairedDataset, check_dataset, read_ids
from metaloss.data.convert import convert_labels
from metaloss.errors import ConfigError, DataError

pytestmark = pytest.mark.filterwarnings(  # a handful of labels, and doubts about them
    "ignore:.*no (pixel|box) in the labels of", "ignore:.*holds 0 and 255 alone"
)

COLOURS = {"background": (0, 0, 0), "person": (128, 64, 0), "car": (0, 0, 255)}
PALETTE = [value for colour in COLOURS.values() for value in colour]
IDS = np.zeros((2, 20, 40), dtype=np.uint8)  # of a and b
IDS[0, 2:9, 3:12] = 1
IDS[0, 4:15, 20:40] = 2
IDS[1, 10:, :7] = 2


def write(folder, as_image, ids=IDS, suffix=".png"):
    folder.mkdir(exist_ok=True)
    for name, mask in zip("ab", ids, strict=True):
        as_image(mask).save(folder / f"{name}{suffix}")
    return folder


def rgb(mask):
    return Image.fromarray(np.array(list(COLOURS.values()), dtype=np.uint8)[mask])


def palette(mask):
    image = Image.fromarray(mask)
    image.putpalette(PALETTE)
    return image


def listed(path, *names):
    path.write_text("".join(f"{' '.join(map(str, COLOURS[name]))} {name}\n" for name in names or COLOURS))
    return str(path)


def loaded(root):
    """The ids that a data set reads, of a and b."""
    dataset = PairedDataset(root, classes="label/classes.txt")
    check_dataset(dataset)
    return np.stack([item["target"].numpy() for item in (dataset[0], dataset[1])]), dataset.classes


def test_colours_by_a_list(root):
    write(root / "coloured", rgb)
    outcome = convert_labels(root / "coloured", root / "label", colours=listed(root / "list.txt"))
    ids, classes = loaded(root)
    assert (ids == IDS).all()
    assert classes == tuple(COLOURS)
    assert [outcome.counts[number] for number in range(3)] == np.bincount(IDS.ravel()).tolist()
    assert [outcome.found_in[number] for number in range(3)] == [2, 1, 2]
    assert (outcome.files, outcome.ignored, +outcome.left_out) == (2, 0, {})


def test_the_order_of_the_list_is_that_of_the_ids(root):
    write(root / "coloured", rgb)
    convert_labels(root / "coloured", root / "label", colours=listed(root / "list.txt", "car", "background", "person"))
    assert (loaded(root)[0] == np.array([1, 2, 0])[IDS]).all()


def test_transparency_and_grey_are_colours_too(root):
    write(root / "coloured", lambda mask: rgb(mask).convert("RGBA"))
    convert_labels(root / "coloured", root / "label", colours=listed(root / "list.txt"))
    assert (loaded(root)[0] == IDS).all()
    write(root / "grey", lambda mask: Image.fromarray(mask * 100))
    (root / "greys.csv").write_text("0,0,0,soil\n200,200,200,weed\n100,100,100,crop\n")
    convert_labels(root / "grey", root / "label", colours=str(root / "greys.csv"), overwrite=True)
    assert (loaded(root)[0] == np.array([0, 2, 1])[IDS]).all()


def test_colours_that_are_found(root):
    write(root / "coloured", rgb)
    outcome = convert_labels(root / "coloured", root / "label", colours="auto")
    ids, classes = loaded(root)
    assert classes == ("rgb_0_0_0", "rgb_0_0_255", "rgb_128_64_0")  # by red, green, blue
    assert (ids == np.array([0, 2, 1])[IDS]).all()
    assert outcome.most_frequent_first
    text = (root / "label" / "colours.txt").read_text()
    assert text == "0 0 0 rgb_0_0_0\n0 0 255 rgb_0_0_255\n128 64 0 rgb_128_64_0\n"
    convert_labels(root / "coloured", root / "again", colours=str(root / "label" / "colours.txt"))
    assert torch_equal(root / "again" / "a.png", root / "label" / "a.png")


def torch_equal(first, second):
    return bool((read_ids(first) == read_ids(second)).all())


def test_unknown_colours(root):
    write(root / "coloured", rgb)
    strange = np.array(rgb(IDS[1]))
    strange[0, :3] = (120, 60, 9)
    strange[1, :2] = (1, 1, 1)
    Image.fromarray(strange).save(root / "coloured" / "b.png")
    colours = listed(root / "list.txt")
    file = root / "coloured" / "b.png"
    message = (
        f"{file}: colour 120 60 9 (#783c09) in 3 pixels is none of the colours in {colours}; the nearest is 128 64 0 "
        "(#804000), person, and 1 more unknown: correct the masks or the list, or say --others nearest"
    )
    with pytest.raises(DataError, match=re.escape(message)):
        convert_labels(root / "coloured", root / "label", colours=colours)
    assert not (root / "label").exists()
    for others, (first, second) in {"ignore": (255, 255), "nearest": (1, 0), "background": (0, 0)}.items():
        outcome = convert_labels(root / "coloured", root / "label", colours=colours, others=others, overwrite=True)
        expected = IDS.copy()
        expected[1, 0, :3], expected[1, 1, :2] = first, second
        assert (loaded(root)[0] == expected).all()
        assert sum(outcome.left_out.values()) == 5
        assert outcome.ignored == (5 if others == "ignore" else 0)


def test_a_list_without_background_gets_one(root):
    write(root / "coloured", rgb)
    colours = listed(root / "list.txt", "car", "person")
    with pytest.raises(DataError, match=r"a\.png: colour 0 0 0 \(#000000\) in .* 1 more such file: correct"):
        convert_labels(root / "coloured", root / "label", colours=colours)
    convert_labels(root / "coloured", root / "label", colours=colours, others="background")
    ids, classes = loaded(root)
    assert classes == ("background", "car", "person")
    assert (ids == np.array([0, 2, 1])[IDS]).all()


def test_a_colour_called_ignore_is_of_no_class(root):
    write(root / "coloured", rgb)
    (root / "list.txt").write_text("0 0 0 background\n128 64 0 ignore\n0 0 255 car\n")
    convert_labels(root / "coloured", root / "label", colours=str(root / "list.txt"))
    assert (loaded(root)[0] == np.array([0, 255, 1])[IDS]).all()


def test_smoothed_masks_are_doubted(root):
    large = np.kron(IDS, np.ones((5, 5), dtype=np.uint8))
    write(root / "coloured", rgb, large)
    assert not convert_labels(root / "coloured", root / "label", colours="auto").warnings
    smoothed = np.array(rgb(large[0]))
    smoothed[7, 7] = (64, 32, 0)
    Image.fromarray(smoothed).save(root / "coloured" / "a.png")
    [warning] = convert_labels(root / "coloured", root / "other", colours="auto").warnings
    assert warning.startswith("1 of 4 colours have less than 0.01% of all pixels each")


def test_pictures_are_no_masks(root):
    noise = np.random.default_rng(0).integers(0, 256, (2, 20, 40, 3), dtype=np.uint8)
    write(root / "noise", Image.fromarray, noise)
    with pytest.raises(DataError, match="1600 colours, the most frequent"):
        convert_labels(root / "noise", root / "label", colours="auto")


def test_jpeg(root):
    write(root / "coloured", rgb, suffix=".jpg")
    colours = listed(root / "list.txt")
    for options in ({"colours": "auto"}, {"colours": colours}, {"colours": colours, "others": "ignore"}):
        with pytest.raises(DataError, match=r"a\.jpg: JPEG compression changes colours"):
            convert_labels(root / "coloured", root / "label", **options)
    convert_labels(root / "coloured", root / "label", colours=colours, others="nearest")
    assert (loaded(root)[0] == IDS).mean() > 0.9


def test_palettes(root):
    write(root / "palette", palette)
    for options in ({}, {"colours": "auto"}):
        with pytest.raises(
            ConfigError, match=r"the pixels of 2 masks are class ids already \(indices of one palette\)"
        ):
            convert_labels(root / "palette", root / "label", **options)
    convert_labels(root / "palette", root / "label", colours=listed(root / "list.txt", "car", "background", "person"))
    assert (loaded(root)[0] == np.array([1, 2, 0])[IDS]).all()


def test_palettes_that_differ_are_colours(root):
    write(root / "palette", lambda mask: rgb(mask).convert("P", palette=Image.Palette.ADAPTIVE))
    assert not (read_ids(root / "palette" / "a.png").numpy() == IDS[0]).all()
    with pytest.raises(ConfigError, match="colour-coded masks, and --colours is missing"):
        convert_labels(root / "palette", root / "label")
    convert_labels(root / "palette", root / "label", colours=listed(root / "list.txt"))
    assert (loaded(root)[0] == IDS).all()


def test_classes_of_colours(root):
    write(root / "coloured", rgb)
    colours = listed(root / "list.txt")
    with pytest.raises(ConfigError, match="--classes leaves out background, person"):
        convert_labels(root / "coloured", root / "label", colours=colours, classes="car")
    options = {"colours": colours, "classes": "vehicle=car"}
    outcome = convert_labels(root / "coloured", root / "label", others="background", **options)
    ids, classes = loaded(root)
    assert classes == ("background", "vehicle")
    assert (ids == (IDS == 2)).all()
    people = int((IDS == 1).sum())
    assert outcome.left_out["class person, now background: pixels"] == people
    convert_labels(root / "coloured", root / "label", others="ignore", overwrite=True, **options)
    ids, _ = loaded(root)
    assert (ids == np.where(IDS == 2, 0, 255)).all()


def test_classes_of_ids(root):
    write(root / "ids", Image.fromarray, np.where(IDS == 1, 255, IDS).astype(np.uint8))
    (root / "classes.txt").write_text("soil\ncrop\nweed\n")
    with pytest.raises(ConfigError, match=r"class ids already \(grey values 0, 2, 255\): no conversion is needed"):
        convert_labels(root / "ids", root / "label")
    with pytest.raises(ConfigError, match=r"'wed' is none of the classes in .*: soil, crop, weed \(did you mean"):
        convert_labels(root / "ids", root / "label", classes="wed,soil")
    convert_labels(root / "ids", root / "label", classes="weed,soil,crop")
    ids, classes = loaded(root)
    assert classes == ("weed", "soil", "crop")
    assert (ids == np.array([1, 255, 0])[IDS]).all()  # what was of no class still is


def test_two_far_values_without_names(root):
    write(root / "ids", lambda mask: Image.fromarray((mask == 2).astype(np.uint8) * 255))
    with pytest.raises(ConfigError, match="masks of grey values 0, 255, too far apart for ids: --colours auto"):
        convert_labels(root / "ids", root / "label")
    convert_labels(root / "ids", root / "label", classes="background=0,person=255")
    ids, classes = loaded(root)
    assert classes == ("background", "person")
    assert (ids == (IDS == 2)).all()


def test_ids_that_have_no_name(root):
    write(root / "ids", Image.fromarray)
    (root / "ids" / "classes.txt").write_text("soil\ncrop\n")
    with pytest.raises(DataError, match=r"a\.png: id 2 in 220 pixels is none of the classes in .*; 1 more such file"):
        convert_labels(root / "ids", root / "label", classes="soil,crop")
    convert_labels(root / "ids", root / "label", others="ignore")
    assert (loaded(root)[0] == np.array([0, 1, 255])[IDS]).all()
    convert_labels(root / "ids", root / "label", classes="crop,soil", others="ignore", overwrite=True)
    assert (loaded(root)[0] == np.array([1, 0, 255])[IDS]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"to": "boxes", "kind": "ids"}, "--to boxes"),
        ({"classes": "0", "others": "nearest"}, "--others nearest: no id is nearest"),
        ({"images": "x"}, "--images x: masks have the size"),
        ({"form": "obb"}, "--form obb: acts on YOLO's lines"),
        ({"kind": "ids", "colours": "auto"}, "--colours auto: .* has masks of ids"),
    ],
)
def test_options_without_effect_are_refused(root, options, message):
    write(root / "ids", Image.fromarray)
    with pytest.raises(ConfigError, match=message):
        convert_labels(root / "ids", root / "label", **options)


def test_nearest_does_not_leave_classes_out(root):
    write(root / "coloured", rgb)
    with pytest.raises(ConfigError, match="--others nearest with --classes"):
        convert_labels(
            root / "coloured", root / "label", colours=listed(root / "l.txt"), classes="car", others="nearest"
        )


def test_other_files_are_named(root):
    write(root / "coloured", rgb)
    for name in ("readme.md", "a.html", "b.html", "c.html"):
        (root / "coloured" / name).write_text("")
    outcome = convert_labels(root / "coloured", root / "label", colours=listed(root / "list.txt"))
    assert outcome.notes == [f"other files in {root / 'coloured'}, not read: a.html, b.html, c.html and 1 more"]


def test_a_damaged_mask_is_named_and_nothing_is_written(root):
    write(root / "coloured", rgb)
    path = root / "coloured" / "b.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match=r"b\.png: cannot be read as an image"):
        convert_labels(root / "coloured", root / "label", colours=listed(root / "list.txt"))
    assert not (root / "label").exists()
