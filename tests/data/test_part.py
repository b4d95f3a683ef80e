import pytest

from metaloss.data.part import part_of
from metaloss.errors import ConfigError, DataError

ITEMS = list("abcdefghij")


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("[:80%]", "abcdefgh"), ("[80%:]", "ij"), ("[:-4]", "abcdef"), ("[-4:]", "ghij"), ("[2:5]", "cde"),
        ("[10%:30%]", "bc"), ("[-20%:]", "ij"), ("[:-20%]", "abcdefgh"), ("[ : ]", "abcdefghij"),
        ("[:99]", "abcdefghij"), ("[::3]", "adgj"), ("[::10]", "a"), ("[ : : 1 ]", "abcdefghij"),
    ],
)  # fmt: skip
def test_parts(split, expected):
    assert "".join(part_of(ITEMS, split, "here")) == expected


@pytest.mark.parametrize(
    ("edge", "count"),
    # a fifth of fewer than five is nothing, which is refused
    [(edge, count) for edge in ("80%", "50%", "-1", "-20%") for count in range(5 if edge == "-20%" else 2, 12)],
)
def test_the_two_sides_of_an_edge_are_everything_once(edge, count):
    items = ITEMS[:count] + ["k"] * (count - len(ITEMS))
    assert part_of(items, f"[:{edge}]", "") + part_of(items, f"[{edge}:]", "") == items


def test_what_is_no_part():
    for split in ("[80%]", "[a:b]", "[1:2:3]", "[1.5:]", "[:", "[::0]", "[::-1]", "[::50%]"):
        with pytest.raises(ConfigError, match=r"expected a part such as '\[:80%\]'"):
            part_of(ITEMS, split, "here")
    with pytest.raises(DataError, match=r"here: nothing of its 10 scenes is in the part \[7:3\]"):
        part_of(ITEMS, "[7:3]", "here")
