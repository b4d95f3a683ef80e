import csv
import io
import itertools
import json
import math

import pytest

from metaloss.errors import DataError
from metaloss.report.comparison import FORMATS, compare, holm, signed_rank
from metaloss.report.scores import Score, with_means

pytest.importorskip("scipy")


def scored(method, **values):
    """Scores of one method: by metric a value per image, of images named 0, 1, ..."""
    return [
        Score(str(number), method, dict(zip(values, row, strict=True)))
        for number, row in enumerate(zip(*values.values(), strict=True))
    ]


def by_hand(differences):
    """The exact two-sided p-value, from all ways to give the ranks their signs."""
    sizes = sorted(abs(value) for value in differences)
    ranks = [sizes.index(abs(value)) + (1 + sizes.count(abs(value))) / 2 for value in differences]
    total = sum(ranks)
    seen = min(sum(rank for rank, value in zip(ranks, differences, strict=True) if value > 0), total)
    seen = min(seen, total - seen)
    sums = [sum(itertools.compress(ranks, signs)) for signs in itertools.product((0, 1), repeat=len(ranks))]
    return min(1.0, 2 * sum(value <= seen for value in sums) / len(sums))


@pytest.mark.parametrize(
    "differences", [[1.0, 2.0, -3.0, 4.0, 5.0, 6.0], [0.1, -0.2, 0.3, -0.4], [1, 1, 3, -3, 5, 6, 7, 8], [-2.0]]
)
def test_the_test_is_exact_for_few_images(differences):
    assert signed_rank(differences) == pytest.approx(by_hand(differences))
    assert signed_rank([-value for value in differences]) == pytest.approx(by_hand(differences))
    assert signed_rank([*differences, 0.0]) == signed_rank(differences), "equal values say nothing"


def test_ties_are_approximated_with_the_normal_distribution():
    # of 14 the smallest two share the rank 1.5, and one of them is negative; the next two share 3.5, and so on
    differences = [-1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8, 9, -10]
    variance = 14 * 15 * 29 / 24 - 4 * (2**3 - 2) / 48
    z = (14 * 15 / 4 - (1.5 + 14) - 0.5) / math.sqrt(variance)
    assert signed_rank(differences) == pytest.approx(math.erfc(z / math.sqrt(2)))


def test_nothing_to_tell():
    assert signed_rank([0.0, 0.0]) == 1
    assert math.isnan(signed_rank([]))


def test_holms_correction():
    assert holm([0.01, 0.04, 0.03, math.nan]) == pytest.approx([0.03, 0.06, 0.06, math.nan], nan_ok=True)
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_two_methods():
    ours = scored("ours", EN=[7.0, 6.0, 5.0, 4.0], MSE=[1.0, 2.0, 3.0, 9.0], VIF=[math.nan, 1.0, 0.5, 0.25])
    other = scored("other", EN=[6.5, 5.0, 5.0, 4.5], MSE=[2.0, 4.0, 6.0, 8.0], VIF=[1.0, 0.5, 0.75, math.inf])
    entropy, error, vif = compare(with_means([*ours, *other]), "ours", "other")
    assert (entropy.first, entropy.second, entropy.images) == (5.5, 5.25, 4)
    assert (entropy.first_better, entropy.second_better) == (2, 1), "one image is the same"
    assert (error.first_better, error.second_better) == (3, 1), "a smaller error is the better one"
    assert entropy.p == pytest.approx(by_hand([0.5, 1.0, -0.5]))
    assert error.p == pytest.approx(by_hand([1.0, 2.0, 3.0, -1.0]))
    assert (vif.images, vif.first, vif.second) == (2, 0.75, 0.625)
    assert [row.p_holm for row in (entropy, error, vif)] == [1.0, 1.0, 1.0]


def test_images_are_paired_by_name():
    ours, other = scored("ours", EN=[1.0, 5.0, 2.0]), scored("other", EN=[0.0, 1.0])
    (row,) = compare([*reversed(ours), *other], "ours", "other")
    assert (row.images, row.first_better) == (2, 2)
    with pytest.raises(DataError, match="no image has been measured with both ours and none"):
        compare(ours, "ours", "none")


@pytest.fixture
def differences():
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    ours, other = scored("ours", EN=values, MSE=values), scored("a_b", EN=[0.0] * 6, MSE=[0.5] * 6)
    return compare([*ours, *other], "ours", "a_b")


def test_for_people(differences):
    lines = FORMATS["table"](differences, "ours", "a_b", "vifb").splitlines()
    assert "Wilcoxon signed-rank" in lines[0]
    assert lines[2].split() == ["EN", "↑", "3.5", "0", "6", "0", "6", "0.031", "0.062"]
    assert lines[3].split() == ["MSE", "↓", "3.5", "0.5", "0", "6", "6", "0.031", "0.062"]
    text = FORMATS["md"](differences, "ours", "a|b", "vifb")
    assert "| EN ↑ | 3.5 | 0 | 6 | 0 | 6 | 0.031 | 0.062 |" in text
    assert r"| metric | ours | a\|b | better: ours | better: a\|b |" in text
    text = FORMATS["latex"](differences, "ours", "a_b", "vifb")
    assert r"metric & ours & a\_b & better: ours & better: a\_b & images & p & p (Holm) \\" in text


def test_for_programs(differences):
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](differences, "ours", "a_b", "vifb"))))
    assert list(rows[0]) == [
        "metric", "convention", "ours", "a_b", "images", "better of first", "better of second", "p", "p Holm"
    ]  # fmt: skip
    assert (rows[0]["convention"], rows[0]["p"], rows[1]["better of second"]) == ("vifb", "0.03125", "6")
    content = json.loads(FORMATS["json"](differences, "ours", "a_b", "vifb"))
    assert (content["first"], content["second"], content["convention"]) == ("ours", "a_b", "vifb")
    assert content["metrics"][1]["p_holm"] == 0.0625
