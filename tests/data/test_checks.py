import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from metaloss.data import checks
from metaloss.data.checks import check_dataset
from metaloss.data.dataset import PairedDataset
from metaloss.data.parallel import in_parallel
from metaloss.errors import DataError


@pytest.fixture
def root(tmp_path):
    noise = np.random.default_rng(0)
    for folder, top in (("ir", 256), ("vi", 256), ("label", 3)):
        (tmp_path / folder).mkdir()
        for number in range(5):
            pixels = noise.integers(0, top, (16, 20), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    return tmp_path


def label(root, number, value):
    Image.new("L", (20, 16), value).save(root / "label" / f"{number}.png")


def cut_short(path):
    path.write_bytes(path.read_bytes()[:100])


def check(root, **options):
    with pytest.raises(DataError) as error:
        check_dataset(PairedDataset(root, **{"classes": 3} | options))
    text = str(error.value)
    assert "\n" not in text
    return text


def test_good_data_passes_and_reports_progress(root):
    Image.open(root / "label" / "1.png").point(lambda id: 255 if id == 2 else id).save(root / "label" / "1.png")
    seen = []
    check_dataset(PairedDataset(root, classes=3), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(number, 5) for number in range(1, 6)]
    check_dataset(PairedDataset(root, target=None))


@pytest.mark.parametrize("folder", ["ir", "vi", "label"])
def test_truncated_file(root, folder):
    cut_short(root / folder / "3.png")
    text = check(root)
    assert text.startswith(str(root / folder / "3.png"))
    assert "damaged" in text
    assert "more bad" not in text


def test_sizes_that_differ(root):
    Image.new("L", (20, 15)).save(root / "vi" / "2.png")
    text = check(root)
    assert text.startswith(f"{root / 'vi' / '2.png'}: 20x15")
    assert f"{root / 'ir' / '2.png'} has 20x16" in text


def test_id_outside_the_classes(root):
    label(root, 4, 7)
    text = check(root)
    assert text.startswith(f"{root / 'label' / '4.png'}: class id 7 is outside 0..2 (3 classes)")
    assert "ignored id 255" in text
    with pytest.warns(UserWarning, match="no pixel in the labels of 5 scenes is of 3, 4, 5, 6:"):
        check_dataset(PairedDataset(root, classes=8))
    with pytest.warns(UserWarning, match=r"4\.png: no pixel is of a class, all are the ignored id 7"):
        check_dataset(PairedDataset(root, classes=3, ignore=7))


def test_id_255_is_outside_when_another_is_ignored(root):
    label(root, 0, 255)
    assert "class id 255 is outside 0..2" in check(root, ignore=9)


def test_ids_are_free_where_the_classes_are_unknown(root):
    label(root, 0, 77)
    check_dataset(PairedDataset(root))


def test_names_the_first_and_counts_the_others(root):
    label(root, 1, 9)
    cut_short(root / "vi" / "3.png")
    text = check(root)
    assert text.startswith(str(root / "label" / "1.png"))
    assert text.endswith("(1 more bad file)")
    Image.new("RGB", (20, 16), (1, 2, 3)).save(root / "label" / "4.png")
    assert check(root).endswith("(2 more bad files)")


def test_a_file_with_two_faults_counts_once(root):
    Image.new("L", (20, 15), 9).save(root / "label" / "2.png")
    text = check(root)
    assert "class id 9" in text
    assert "more bad" not in text


def test_an_error_in_progress_stops_the_check(root):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_dataset(PairedDataset(root), progress=stop)


def test_real_data(real_data):
    check_dataset(PairedDataset(real_data("msrs_person"), classes=2))
    check_dataset(PairedDataset(real_data("cwfid_seg"), split="test.txt"))


@pytest.fixture
def looked_at(monkeypatch):
    """The numbers of scenes that each check has read."""
    counts = []

    def counting(function, count):
        counts.append(count)
        return in_parallel(function, count)

    monkeypatch.setattr(checks, "in_parallel", counting)
    return counts


@pytest.mark.filterwarnings("ignore:.*no pixel in the labels of")
def test_good_scenes_are_read_once(root, looked_at):
    seen = []
    for _ in range(2):
        check_dataset(PairedDataset(root, classes=3), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(number, 5) for number in range(1, 6)] * 2
    check_dataset(PairedDataset(root, classes=3, split="[:3]"))
    check_dataset(PairedDataset(root, classes=4))  # other ids are right
    check_dataset(PairedDataset(root, classes=3, ignore=7))
    check_dataset(PairedDataset(root, target=None))
    assert looked_at == [5, 0, 0, 5, 5, 5]


@pytest.mark.parametrize("folder", ["ir", "vi", "label"])
def test_a_file_with_another_size_or_time_is_read_again(root, looked_at, folder):
    check_dataset(PairedDataset(root, classes=3))
    file = root / folder / "2.png"
    old = file.stat()
    os.utime(file, ns=(old.st_atime_ns, old.st_mtime_ns + 1))
    check_dataset(PairedDataset(root, classes=3))
    cut_short(file)
    os.utime(file, ns=(old.st_atime_ns, old.st_mtime_ns + 1))
    assert "damaged" in check(root)
    assert looked_at == [5, 1, 1]


def test_what_is_wrong_is_never_remembered(root, looked_at):
    label(root, 1, 9)
    assert check(root) == check(root)
    label(root, 1, 2)
    check_dataset(PairedDataset(root, classes=3))
    check_dataset(PairedDataset(root, classes=3))
    assert looked_at == [5, 1, 1, 0]


def test_an_interrupted_check_goes_on(root, looked_at):
    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_dataset(PairedDataset(root), progress=stop)
    check_dataset(PairedDataset(root))
    assert looked_at == [5, 2]


def test_labels_without_a_class_are_found_in_what_is_remembered(root, looked_at):
    for number in range(5):
        label(root, number, 255)
    text = check(root)
    assert "all are the ignored id 255" in text
    assert check(root) == text
    label(root, 4, 1)
    for _ in range(2):
        with warnings.catch_warnings(record=True) as doubts:
            warnings.simplefilter("always")
            check_dataset(PairedDataset(root, classes=3))
        words = ("nothing is learned", "is of")
        assert all(word in str(each.message) for each, word in zip(doubts, words, strict=True))
    assert looked_at == [5, 0, 1, 0]


def test_a_cache_that_is_damaged_or_cannot_be_written(root, looked_at, tmp_path, monkeypatch):
    check_dataset(PairedDataset(root, classes=3))
    (kept,) = Path(os.environ["XDG_CACHE_HOME"], "metaloss", "checks").iterdir()
    wrong = kept.read_text().replace('"counts"', '"pixels"')
    assert wrong != kept.read_text()
    for content in ('{"a": 3}', wrong, kept.read_text().replace("[", "[[", 1), kept.read_text()[:-9], "{}"):
        kept.write_text(content)
        check_dataset(PairedDataset(root, classes=3))
    kept.unlink()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    for _ in range(2):
        check_dataset(PairedDataset(root, classes=3))
    assert looked_at == [5] * 8


def test_many_scenes(root, monkeypatch):
    """Enough of them for several processes, which name the first bad file, as one does."""
    monkeypatch.setattr("metaloss.data.parallel._PAYS", 4)
    monkeypatch.setattr("metaloss.data.parallel._BATCH", 1)
    monkeypatch.setattr("metaloss.data.parallel.cores", lambda: 2)
    seen = []
    check_dataset(PairedDataset(root, classes=3), progress=lambda done, total: seen.append(done))
    assert seen == [1, 2, 3, 4, 5]
    for number in range(5):
        label(root, number, 3 + number)
    text = check(root)
    assert text.startswith(f"{root / 'label' / '0.png'}: class id 3 is outside")
    assert text.endswith("(4 more bad files)")
