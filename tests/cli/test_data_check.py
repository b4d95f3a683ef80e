"""``metaloss data check`` and ``list``: a folder with one fault of each kind, and the real folders."""

import json
import shutil
from pathlib import Path

import numpy as np
import published
import pytest
import torch
from PIL import Image

from metaloss.data.audit import find_twins, picture_bits

HEIGHT, WIDTH = 96, 128
TRAIN, TEST = ("a", "b", "c", "d"), ("e", "f")


def texture(seed):
    """A picture with edges everywhere, 8 bits."""
    noise = np.random.default_rng(seed)
    coarse = noise.integers(40, 216, (HEIGHT // 8, WIDTH // 8)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))


def save(path, pixels):
    path.unlink(missing_ok=True)
    Image.fromarray(pixels).save(path)


def mask(root, name, ids):
    save(root / "label" / f"{name}.png", np.asarray(ids, dtype=np.uint8))


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """Six scenes in which all is right, with masks, and boxes beside them."""
    root = tmp_path_factory.mktemp("sound") / "yard"
    for folder in ("ir", "vi", "label", "boxes"):
        (root / folder).mkdir(parents=True)
    for seed, name in enumerate((*TRAIN, *TEST)):
        picture = texture(seed)
        save(root / "ir" / f"{name}.png", 255 - picture)
        save(root / "vi" / f"{name}.png", picture)
        ids = np.zeros((HEIGHT, WIDTH))
        ids[20:40, 30:60], ids[50:80, 70:100] = 1, 2
        mask(root, name, ids)
        (root / "boxes" / f"{name}.txt").write_text("0 0.5 0.5 0.2 0.2\n1 0.3 0.3 0.2 0.2\n2 0.6 0.6 0.1 0.1\n")
    (root / "train.txt").write_text("\n".join(TRAIN))
    (root / "test.txt").write_text("\n".join(TEST))
    (root / "classes.txt").write_text("soil\ncrop\nweed\n")
    return root


@pytest.fixture
def root(sound, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(sound, tmp_path / "yard"))


@pytest.fixture
def checked(command):
    """Checks a folder; gives the exit status and the findings as (level, kind, file, what)."""

    def run(root, *options):
        done = command("data", "check", root, "--format", "json", *options)
        findings = json.loads(done.out)["findings"]
        return done.status, [(each["level"], each["kind"], each["file"], each["says"]) for each in findings]

    return run


def damaged(root):
    file = root / "vi" / "b.png"
    file.write_bytes(file.read_bytes()[:200])
    return "error", "image", file, "cannot"


def other_size(root):
    save(root / "ir" / "c.png", texture(2)[:-4])
    return "error", "size", root / "vi" / "c.png", "128x96"


def foreign_id(root):
    mask(root, "d", np.full((HEIGHT, WIDTH), 7))
    return "error", "label", root / "label" / "d.png", "class id 7"


def all_ignored(root):
    mask(root, "a", np.full((HEIGHT, WIDTH), 255))
    return "doubt", "ignored", root / "label" / "a.png", "nothing is learned"


def coloured_mask(root):
    save(root / "label" / "a.png", np.stack([texture(1), texture(2), texture(3)], -1))
    return "error", "label", root / "label" / "a.png", "colour"


def fractions(root):
    Image.fromarray(np.full((HEIGHT, WIDTH), np.nan, dtype=np.float32)).save(root / "label" / "e.tif")
    (root / "label" / "e.png").unlink()
    return "error", "label", root / "label" / "e.tif", "floating point"


def negative(root):
    Image.fromarray(np.full((HEIGHT, WIDTH), -3, dtype=np.int32)).save(root / "label" / "e.tif")
    (root / "label" / "e.png").unlink()
    return "error", "label", root / "label" / "e.tif", "-3"


def infinite(root):
    Image.fromarray(np.full((HEIGHT, WIDTH), np.nan, dtype=np.float32)).save(root / "ir" / "e.tif")
    (root / "ir" / "e.png").unlink()
    return "error", "image", root / "ir" / "e.tif", "NaN"


def lonely(root):
    (root / "vi" / "b.png").unlink()
    return "error", "no partner", root / "ir" / "b.png", str(root / "vi")


def two_of_a_stem(root):
    Image.fromarray(texture(1)).save(root / "ir" / "b.jpg")
    return "error", "twice", root / "ir" / "b.png", "same stem"


def listed_twice(root):
    (root / "train.txt").write_text("a\nb\nc\na\nd\n")
    return "error", "list", root / "train.txt", "lines 1 and 4"


def listed_in_vain(root):
    (root / "train.txt").write_text("a\nb\nc\nd\nzebra\n")
    return "error", "list", root / "train.txt", "zebra"


def broken_link(root):
    (root / "vi" / "c.png").unlink()
    (root / "vi" / "c.png").symlink_to(root / "nowhere.png")
    return "error", "broken link", root / "vi" / "c.png", "nowhere.png"


def in_both(root):
    (root / "test.txt").write_text("e\nf\na\n")
    return "doubt", "in both splits", root / "ir" / "a.png", "in train and in test"


def nearly_the_same(root):
    for folder in ("ir", "vi"):
        pixels = np.asarray(Image.open(root / folder / "a.png")).astype(int)
        pixels[:8, :8] = 128
        save(root / folder / "f.png", np.clip(pixels + 3, 0, 255).astype(np.uint8))
    return "doubt", "near duplicate", root / "ir" / "f.png", f"{root / 'ir' / 'a.png'} in train"


def narrow(root):
    for name in (*TRAIN, *TEST):
        pixels = np.asarray(Image.open(root / "ir" / f"{name}.png")).astype(np.uint16)
        save(root / "ir" / f"{name}.png", 7000 + pixels)
    return "doubt", "narrow range", root / "ir" / "a.png", "range='data'"


def unregistered(root):
    picture = np.roll(np.asarray(Image.open(root / "vi" / "b.png")), (6, 9), (0, 1))
    save(root / "vi" / "b.png", picture)
    return "doubt", "unregistered", root / "vi" / "b.png", "pixels apart"


def never(root):
    for name in TRAIN:
        mask(root, name, np.eye(HEIGHT, WIDTH))
    return "doubt", "absent class", root / "label", "is of weed"


MASKS = [
    damaged,
    other_size,
    foreign_id,
    all_ignored,
    coloured_mask,
    fractions,
    negative,
    infinite,
    lonely,
    two_of_a_stem,
    listed_twice,
    listed_in_vain,
    broken_link,
    in_both,
    nearly_the_same,
    narrow,
    unregistered,
    never,
]


def outside(root):
    (root / "boxes" / "a.txt").write_text("0 1.5 0.5 0.2 0.2\n1 2.5 0.3 0.2 0.2\n")
    return "error", "label", root / "boxes" / "a.txt", "lies outside 0..1"


def too_thin(root):
    (root / "boxes" / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n2 0.5 0.4 0.2 0.2\n1 0.5 0.3 0.002 0.2\n")
    return "doubt", "boxes vanish", root / "boxes" / "a.txt", "1 of 3 boxes vanishes"


def corners(root):
    (root / "boxes" / "a.txt").write_text("0 0.7 0.7 0.9 0.9\n1 0.8 0.6 0.95 0.9\n")
    return "error", "label", root / "boxes" / "a.txt", "corners"


def no_number(root):
    (root / "boxes" / "a.txt").write_text("0 nan 0.6 0.8 0.8\n")
    return "error", "label", root / "boxes" / "a.txt", "nan"


def foreign_class(root):
    (root / "boxes" / "b.txt").write_text("9 0.5 0.5 0.2 0.2\n")
    return "error", "label", root / "boxes" / "b.txt", "class 9"


def no_boxes(root):
    (root / "boxes" / "c.txt").unlink()
    return "error", "label", root / "ir" / "c.png", "no labels for c"


def far_away(root):
    """COCO's file, with the boxes of one image outside of it."""
    names = (*TRAIN, *TEST)
    boxes = [
        {"id": 3 * k + c, "image_id": k, "category_id": c, "bbox": [10 + 500 * (name == "d"), 10, 20, 20]}
        for k, name in enumerate(names)
        for c in range(3)
    ]
    images = [{"id": k, "file_name": f"{name}.png", "width": WIDTH, "height": HEIGHT} for k, name in enumerate(names)]
    categories = [{"id": number, "name": name} for number, name in enumerate(("soil", "crop", "weed"))]
    content = {"images": images, "annotations": boxes, "categories": categories}
    (root / "boxes.json").write_text(json.dumps(content))
    return "error", "label", root / "boxes.json", "outside of the image"


BOXES = [outside, too_thin, corners, no_number, foreign_class, no_boxes]


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        *((fault, ()) for fault in MASKS),
        *((fault, ("--target", "boxes")) for fault in BOXES),
        (far_away, ("--target", "boxes.json")),
    ],
)
def test_each_fault_alone_is_found_with_its_file(root, checked, fault, options):
    level, kind, file, words = fault(root)
    status, findings = checked(root, *options)
    assert status == {"error": 2, "doubt": 1}[level]
    [says] = [says for *where, says in findings if where[:2] == [level, kind] and where[2].startswith(str(file))]
    assert words in says
    assert all(each[:2] == (level, kind) for each in findings)


def test_all_faults_together_are_found(root, checked):
    expected = [fault(root) for fault in (damaged, other_size, foreign_id, all_ignored, nearly_the_same)]
    expected += [listed_twice(root), fractions(root)]
    status, findings = checked(root)
    assert status == 2
    for level, kind, file, words in expected:
        [says] = [found[3] for found in findings if found[:2] == (level, kind) and found[2].startswith(str(file))]
        assert words in says
    done = root.parent / "work_dirs" / "data_check" / "yard" / "overview.png"
    assert np.asarray(Image.open(done)).shape[1] > 400


@pytest.mark.slow
def test_black_and_white_masks_are_questioned(root, checked):
    for name in (*TRAIN, *TEST):
        mask(root, name, np.eye(HEIGHT, WIDTH) * 255)
    (root / "classes.txt").unlink()
    status, findings = checked(root)
    assert status == 1
    found = [file for _, kind, file, says in findings if kind == "black and white" and "0,255" in says]
    assert sorted(found) == [str(root / "label" / f"{name}.png") for name in (*TRAIN, *TEST)]


def test_what_is_right_is_shown_in_tables(root, command):
    done = command("data", "check", root, "--out", root.parent / "out")
    assert (done.status, done.err) == (0, "")
    rows = [line.split() for line in done.out.splitlines()]
    assert ["ir", "128x96", "(4)"] in rows
    assert ["crop", "1", "2,400", "4.88", "%", "4"] in rows
    assert "0 errors, 0 doubts" in done.out
    picture = np.asarray(Image.open(root.parent / "out" / "overview.png"))
    assert (picture == (60, 200, 80)).all(-1).any()  # the colour of class 1, in the legend
    assert not (root.parent / "work_dirs").exists()


def test_a_full_disk_leaves_no_half_picture(root, command, full_disk):
    done = command("data", "check", root, "--out", root.parent / "out")
    assert done.status == 2
    assert done.err.startswith(f"error: {root.parent / 'out' / 'overview.png'}: No space left on device")
    assert not list(root.parent.glob("out/*"))


def test_options_describe_a_folder(root, command, refused):
    for name in ("ir", "vi"):
        (root / name).rename(root / f"my_{name}")
    done = command(
        *("data", "check", root, "--sources", "my_ir,my_vi", "--split", "[:50%]", "--classes", "a,b", "--ignore", "2"),
        *("--format", "json"),
    )
    assert done.status == 0
    [split] = json.loads(done.out)["splits"]
    assert (split["scenes"], split["classes"]) == (3, ["a", "b"])
    assert split["pixels"] == {"0": 3 * (96 * 128 - 600 - 900), "1": 3 * 600}
    assert "--cfg-options" in refused("data", "check", root, "--cfg-options", "lr=1")
    assert "--ignore x" in refused("data", "check", root, "--ignore", "x")
    assert "--sources with the config" in refused("data", "check", root / "nothing", "--sources", "a,b")


@pytest.mark.slow
def test_a_config_has_its_training_and_validation_data_checked(root, command):
    options = [f"data_root={root}", "target=label", "classes=('soil','crop','weed')"]
    arguments = ("data", "check", "tdfusion/segformer_msrs", "--cfg-options", *options, "train_split=train.txt")
    done = command(*arguments, "val_split=test.txt", "sources=('ir','vi')")
    assert "train:" in done.out, done
    assert "val:" in done.out
    assert done.status == 2
    assert "error: crop (4)" in done.out
    arguments = (*arguments, "crop_size=(64,64)")
    done = command(*arguments, "val_split=test.txt", "sources=('ir','vi')")
    assert done.status == 0, done
    lonely(root)
    broken_link(root)
    done = command(*arguments, "val_split=test.txt", "sources=('ir','vi')")
    assert done.status == 2
    assert str(root / "ir" / "b.png") in done.out
    assert str(root / "vi" / "c.png") in done.out


FOLDERS = [
    *("msrs_det", "cwfid_seg", "tno_salient", "msrs_person", "m3fd", "multifocus", "multiexposure"),
    *("medical", "roadscene", "msrs_misaligned", "metric_reference_tno"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "folder", [*FOLDERS, "vifb", "msrs_det_large", "medical_train/MRI_CT", "medical_train/MRI_PET"]
)
def test_real_folders_have_no_errors(real_data, checked, tmp_path, monkeypatch, folder):
    root = real_data(folder.partition("/")[0]) / folder.partition("/")[2]
    monkeypatch.chdir(tmp_path)
    status, findings = checked(root)
    assert status < 2, findings


@pytest.mark.slow
def test_the_warped_image_is_said_to_be_unregistered(real_data, checked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, findings = checked(real_data("msrs_misaligned"), "--sources", "vi,ir_warp")
    assert {kind for _, kind, *_ in findings} == {"unregistered"}


def test_known_data_sets_are_listed(command, refused):
    out = command("data", "list").out
    assert "fmb: FMB" in out
    assert "1220 train, 280 test; 15 classes" in out
    whole = command("data", "list", "FMB").out
    assert "NNNNN.png   1220 each" in whole
    assert "13 bicycle" in whole
    assert "mean over 14 classes: without unlabelled" in whole
    plain = json.loads(command("data", "list", "fmb", "--format", "json").out)
    assert plain["parts"][0]["scenes"] == {"train": 1220, "test": 280}
    assert "did you mean 'fmb'" in refused("data", "list", "fmbb")


def test_twins_are_those_that_a_comparison_of_all_finds():
    noise = torch.Generator().manual_seed(0)
    first = torch.rand(300, 1, 32, 34, generator=noise)
    second = torch.rand(200, 1, 32, 34, generator=noise)
    second[::5] = first[100:140] + 0.02 * torch.rand(40, 1, 32, 34, generator=noise)
    bits = [[picture_bits(image).numpy().tobytes() for image in images] for images in (first, second)]
    found = find_twins(*bits)
    left, right = (np.unpackbits(np.frombuffer(b"".join(each), np.uint8)).reshape(-1, 256) for each in bits)
    differ = (left[None] != right[:, None]).sum(-1)
    near = differ.min(1) < 16
    assert near.sum() == 40
    assert [(each.second, each.differ) for each in found] == [(k, differ[k].min()) for k in np.flatnonzero(near)]


@pytest.fixture
def fmb(root):
    """FMB as it unpacks, with four and two scenes."""
    for split, names in (("train", TRAIN), ("test", TEST)):
        for folder, own in (("ir", "Infrared"), ("vi", "Visible"), ("label", "Label")):
            place = root.parent / "downloads" / "FMB" / split / own
            place.mkdir(parents=True)
            for number, name in enumerate(names):
                shutil.copy(root / folder / f"{name}.png", place / f"{number:05}.png")
    return root.parent / "downloads" / "FMB"


@pytest.mark.parametrize("above", [False, True])
def test_a_known_data_set_is_recognised_as_it_unpacks(fmb, command, above):
    done = command("data", "check", fmb.parent if above else fmb)
    assert done.status == 1  # most classes are in none of these scenes
    assert "train: FMB as it unpacks in" in done.out
    assert "4 scenes (published: 1220)" in done.out
    assert "doubt: absent class (2)" in done.out
    assert "error" not in done.out.replace("0 errors", "")


def test_all_that_is_wrong_with_a_known_data_set_is_said(fmb, checked):
    (fmb / "train" / "Visible" / "00001.png").unlink()
    (fmb / "train" / "Label" / "00002.png").unlink()
    (fmb / "test" / "Visible" / "00000.png").write_bytes(b"nothing")
    status, findings = checked(fmb)
    assert status == 2
    errors = {(kind, file) for level, kind, file, _ in findings if level == "error"}
    assert errors == {
        ("no partner", str(fmb / "train" / "Infrared" / "00001.png")),
        ("no partner", str(fmb / "train" / "Infrared" / "00002.png")),
        ("image", str(fmb / "test" / "Visible" / "00000.png")),
    }


@pytest.mark.slow
def test_of_several_roots_and_kinds_of_sources_each_is_checked(root, command):
    other = Path(shutil.copytree(root, root.parent / "other"))
    lonely(root)
    broken_link(other)
    options = [
        "crop_size=(64,64)",
        "target=label",
        "sources=('ir','vi')",
        "train_split=train.txt",
        "val_split=test.txt",
    ]
    done = command(
        *("data", "check", "tdfusion/segformer_msrs", "--cfg-options", f"data_root=['{root}','{other}']", *options),
        "classes=('soil','crop','weed')",
    )
    assert done.status == 2
    assert f"  {root / 'ir' / 'b.png'}\n" in done.out
    assert f"  {other / 'vi' / 'c.png'}\n" in done.out


def test_an_image_that_is_flat_is_doubted(root, checked):
    save(root / "vi" / "c.png", np.full((HEIGHT, WIDTH), 9, dtype=np.uint8))
    status, findings = checked(root)
    assert (status, [each[:3] for each in findings]) == (1, [("doubt", "flat image", str(root / "vi" / "c.png"))])


@pytest.mark.slow
def test_more_options_describe_a_folder(root, checked):
    (root / "boxes" / "a.txt").write_text("7 .5 .5 .2 .2\n")
    (root / "boxes" / "b.txt").unlink()
    options = ("--target", "boxes", "--missing", "empty", "--others", "drop", "--classes", "soil,crop,weed")
    status, findings = checked(root, *options)
    assert (status, [each[1] for each in findings]) == (1, ["left out"])
    narrow(root)
    assert {each[1] for each in checked(root)[1]} == {"narrow range"}
    assert checked(root, "--range", "ir=data") == (0, [])
    assert checked(root, "--missing", "nothing")[0] == 2


def test_what_is_no_data(root, refused):
    for place in (root.parent / "yrd", root.parent / "yrd" / "ir"):
        assert "did you mean 'yard'?), and no shipped config" in refused("data", "check", place)
    said = refused("data", "check", "tdfusion/segformer_msr")
    assert "(did you mean 'tdfusion/segformer_msrs'?)" in said
    assert said.count("tdfusion/") == 2  # not all of them


def test_images_and_labels_alone_are_no_mfnet(root, refused):
    (root / "ir").rename(root / "images")
    (root / "vi").rename(root.parent / "vi")
    (root / "label").rename(root / "labels")
    assert "no two folders in it hold images of the same stems" in refused("data", "check", root)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["m3fd", "mfnet", "llvip", "lytro"])
def test_a_scene_that_is_not_whole_leaves_the_splits_of_a_known_data_set_as_they_are(
    tmp_path, monkeypatch, checked, name
):
    monkeypatch.chdir(tmp_path)
    tree = getattr(published, name)(tmp_path / "downloads")
    file = {
        "m3fd": tree / "Vis" / "00003.png",
        "mfnet": tree / "labels" / "00003N.png",
        "llvip": tree / "visible" / "train" / "010003.jpg",
        "lytro": tree / "lytro-01-B.jpg",
    }[name]
    file.unlink()
    status, findings = checked(tree)
    errors = [(kind, where, says) for level, kind, where, says in findings if level == "error"]
    assert status == 2
    assert "in both splits" not in {kind for _, kind, *_ in findings}
    if name == "lytro":  # whose scenes are in no folders of sources
        assert {kind for kind, *_ in errors} == {"refused"}
        assert "no partner for lytro-01-A.jpg" in errors[0][2]
    else:
        assert [(kind, Path(where).stem) for kind, where, _ in errors] == [("no partner", file.stem)]
