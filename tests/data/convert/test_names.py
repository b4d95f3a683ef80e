"""Names of classes beside labels."""

import pytest

from metaloss.data.convert.names import names_beside, read_names
from metaloss.errors import ConfigError, DataError


@pytest.fixture
def train(tmp_path):
    folder = tmp_path / "labels" / "train"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("names", ["[person, car]", "{1: car, 0: person}", "\n  0: person\n  1: car"])
def test_data_yaml(train, tmp_path, names):
    (tmp_path / "data.yaml").write_text(f"train: images\nnc: 2\nnames: {names}\n")
    assert names_beside(train) == (("person", "car"), tmp_path / "data.yaml")


def test_the_nearest_file_counts(train, tmp_path):
    assert names_beside(train) == ((), None)
    (tmp_path / "classes.txt").write_text("a\nb\n")
    (train.parent / "obj.names").write_text("c\n")
    (train / "a.txt").write_text("")
    assert names_beside(train / "a.txt") == (("c",), train.parent / "obj.names")


@pytest.mark.parametrize("text", ["names: person", "names: {0: a, 2: b}", "nc: 2", "- a", "names: [", "\x07"])
def test_yaml_without_names(tmp_path, text):
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(DataError, match=r"data\.yaml: "):
        read_names(tmp_path / "data.yaml")


def test_files_that_are_none(tmp_path):
    (tmp_path / "classes.txt").write_text("a\na\n")
    with pytest.raises(ConfigError, match="given twice"):
        read_names(tmp_path / "classes.txt")
    (tmp_path / "data.yaml").write_bytes("names: [Straße]".encode("latin-1"))
    with pytest.raises(DataError, match=r"data\.yaml: cannot be read as text"):
        read_names(tmp_path / "data.yaml")
