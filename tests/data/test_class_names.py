"""Where the names of classes come from."""

import pytest

from metaloss.data.class_names import class_names
from metaloss.errors import ConfigError, DataError


@pytest.mark.parametrize("root", ["data", "./data", "data/../data", "data/nested"])
def test_a_relative_root_is_put_in_front_once(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "nested").mkdir(parents=True)
    folder = tmp_path / root
    (folder / "classes.txt").write_text("soil\nplant\n")
    (folder / "other.txt").write_text("earth\n")
    root = type(tmp_path)(root)
    assert class_names(root, None) == ("soil", "plant")
    assert class_names(root, "classes.txt") == ("soil", "plant")
    assert class_names(root, root / "other.txt") == ("earth",)
    assert class_names(root, folder / "other.txt") == ("earth",)


@pytest.mark.parametrize(
    "lines",
    [
        "nc: 2\nnames: [person, car]",
        "names: {0: person, 1: car}",
        "names:\n  1: car\n  0: person\n",
        "train: ../images\nval: x\nnames:\n- person\n- 'car'\nroboflow: {version: 3}",
        "\ufeffnames: [person, car]\nkpt_shape: [17, 3]",
    ],
)
@pytest.mark.parametrize("name", ["data.yaml", "coco8.yml"])
def test_the_yaml_of_ultralytics(lines, name, tmp_path):
    (tmp_path / name).write_text(lines, encoding="utf-8")
    assert class_names(tmp_path, name) == ("person", "car")
    assert class_names(tmp_path, tmp_path / name) == ("person", "car")
    assert class_names(tmp_path, None) == (("person", "car") if name == "data.yaml" else ())


def test_names_stay_texts(tmp_path):
    (tmp_path / "data.yaml").write_text("nc: 4\nnames: [yes, no, 10, ~]")
    assert class_names(tmp_path, None) == ("yes", "no", "10", "~")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("train: images\nval: images\n", "data.yaml: no names of classes; expected `names`"),
        ("names: person", "no names of classes"),
        ("names: [[person], car]", "no names of classes"),
        ("nc: 3\nnames: [person, car]", "`nc` is 3, and `names` has 2"),
        ("names: {0: person, 2: car}", "`names` has the ids 0, 2; expected"),
        ("names: {1: person, 2: car}", "`names` has the ids 1, 2; expected"),
        ("names: [person", "data.yaml: cannot be read as yaml"),
        ("- person\n- car", "no names of classes"),
        ("names: [person, person]", "class names are given twice"),
    ],
)
def test_yaml_that_names_no_classes(lines, said, tmp_path):
    (tmp_path / "data.yaml").write_text(lines)
    with pytest.raises((ConfigError, DataError), match=said):
        class_names(tmp_path, "data.yaml")


def test_a_data_yaml_of_another_program_is_passed_over(tmp_path):
    (tmp_path / "data.yaml").write_text("stages: {train: {cmd: python train.py}}")
    assert class_names(tmp_path, None) == ()


def test_classes_txt_comes_first(tmp_path):
    (tmp_path / "data.yaml").write_text("names: [a, b]")
    (tmp_path / "classes.txt").write_text("c\n")
    assert class_names(tmp_path, None) == ("c",)


def test_ids_in_front_of_names(tmp_path):
    file = tmp_path / "classes.txt"
    file.write_text("0 person\n1: traffic light\n2\tcar \n")
    assert class_names(tmp_path, None) == ("person", "traffic light", "car")
    file.write_text("0 person\n2 car\n")
    assert class_names(tmp_path, None) == ("0 person", "2 car")
    file.write_text("person 1\nperson 2\n")
    assert class_names(tmp_path, None) == ("person 1", "person 2")


@pytest.mark.parametrize("classes", [{0: "person"}, ("person", 3), [["person"]]])
def test_what_is_no_name(classes, tmp_path):
    with pytest.raises(ConfigError, match="give the names as texts, in the order of their ids"):
        class_names(tmp_path, classes)


def test_a_file_that_is_not_there(tmp_path):
    (tmp_path / "data.yaml").write_text("names: [a]")
    with pytest.raises(DataError, match=r"data\.yml: no such file of class names \(did you mean 'data\.yaml'\?\)"):
        class_names(tmp_path, "data.yml")


def test_names_that_can_be_gone_through_once(tmp_path):
    assert class_names(tmp_path, (name for name in ("a", "b"))) == ("a", "b")


def test_both_endings_of_yaml_are_found(tmp_path):
    (tmp_path / "data.yml").write_text("names: [person]")
    assert class_names(tmp_path, None) == ("person",)
