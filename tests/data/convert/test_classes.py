"""Which classes are kept."""

import re

import pytest

from metaloss.data.convert.classes import Wanted, check_known, plan_boxes, plan_masks, wanted_classes
from metaloss.errors import ConfigError, DataError

KNOWN = ("road", "person", "car", "c++", "a=b")


def test_entries(tmp_path):
    expected = [Wanted("pedestrian", ("person",)), Wanted("vehicle", ("car", "road")), Wanted("a=b", ("a=b",))]
    assert wanted_classes("pedestrian=person, vehicle = car + road,a=b", KNOWN) == expected
    (tmp_path / "classes.txt").write_text("pedestrian=person\n\na=b\n")
    assert wanted_classes(str(tmp_path / "classes.txt"), KNOWN) == [expected[0], expected[2]]
    assert wanted_classes("x=c++", KNOWN) == [Wanted("x", ("c++",))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("person,,car", "'' is no class"),
        ("=person", "'=person' is no class"),
        ("a=person+", "'a=person+' is no class"),
        ("person,person", "given twice"),
        ("a=person,b=person", "'person' of the labels is given twice"),
    ],
)
def test_entries_that_are_none(text, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        wanted_classes(text, KNOWN)


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        wanted_classes(str(tmp_path / "classes.txt"), KNOWN)


def test_unknown_classes_are_named_with_the_nearest():
    with pytest.raises(
        ConfigError, match=re.escape("'persn' is none of the list: road, person, car, c++, a=b (did you mean")
    ):
        check_known(wanted_classes("persn", KNOWN), KNOWN, "the list")
    check_known(wanted_classes("background,person", KNOWN), KNOWN, "the list")
    check_known(wanted_classes("0,7", ("0", "1")), ("0", "1"), "numbers, of which 7 may lie in other files")


def test_boxes_are_numbered_as_wanted():
    plan = plan_boxes(KNOWN, wanted_classes("car,x=person+road", KNOWN))
    assert plan.classes == ("car", "x")
    assert plan.ids == {"car": 0, "person": 1, "road": 1}
    assert plan_boxes(("b", "__ignore__", "a"), None).classes == ("b", "a")


def test_drawn_masks_have_a_background_first():
    assert plan_masks(("car", "person"), None, None, drawn=True).classes == ("background", "car", "person")
    assert plan_masks(("a", "_background_", "b"), None, None, drawn=True).classes == ("_background_", "a", "b")
    plan = plan_masks(("car", "person"), [Wanted("person", ("person",)), Wanted("bg", ("bg",))], None, drawn=True)
    assert (plan.classes, plan.background, plan.others) == (("person", "bg"), 1, None)


def test_others_of_drawn_masks():
    wanted = [Wanted("person", ("person",)), Wanted("__ignore__", ("__ignore__",))]
    plan = plan_masks(("car", "person"), wanted, "ignore", drawn=True)
    assert plan.classes == ("background", "person")
    assert plan.ids == {"person": 1, "__ignore__": 255}
    assert plan.others == 255


def test_others_of_masks_have_to_be_said():
    wanted = [Wanted("person", ("person",))]
    with pytest.raises(ConfigError, match=re.escape("--classes leaves out road, car, and every pixel of a mask")):
        plan_masks(("road", "person", "car"), wanted, None, drawn=False)
    ignored = plan_masks(("road", "person"), wanted, "ignore", drawn=False)
    assert (ignored.classes, ignored.ids, ignored.others) == (("person",), {"person": 0}, 255)
    plain = plan_masks(("road", "person"), wanted, "background", drawn=False)
    assert (plain.classes, plain.ids, plain.others) == (("background", "person"), {"person": 1}, 0)
    given = [*wanted, Wanted("background", ("road",))]
    named = plan_masks(("road", "person", "car"), given, "background", drawn=False)
    assert (named.classes, named.ids, named.others) == (("person", "background"), {"person": 0, "road": 1}, 1)


def test_a_mask_holds_255_classes():
    names = [f"c{number}" for number in range(255)]
    assert len(plan_masks(names, None, None, drawn=False).classes) == 255
    with pytest.raises(ConfigError, match="256 classes: a mask holds at most 255"):
        plan_masks(names, None, None, drawn=True)
