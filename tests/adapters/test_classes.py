"""The classes of a task: by number, by names, or both."""

import pytest

from metaloss.errors import ConfigError

class_names = pytest.importorskip("metaloss_frameworks.classes").class_names


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ((2, None), ("class 0", "class 1")),
        ((2, ["a", "b"]), ("a", "b")),
        ((None, ("a", "b", "c")), ("a", "b", "c")),
        ((None, 2), ("class 0", "class 1")),
    ],
)
def test_names_are_counted(given, names):
    assert class_names(*given, least=2, purpose="two at least") == names


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((None, None), "neither num_classes nor classes is given: two at least"),
        ((None, ("a",)), "num_classes=1: two at least"),
        ((3, ()), "0 class names given for num_classes=3"),
        ((3, 2), "2 class names given for num_classes=3"),
    ],
)
def test_what_is_refused(given, said):
    with pytest.raises(ConfigError, match=said):
        class_names(*given, least=2, purpose="two at least")
