import csv
import io
import json
import math

import pytest

from metaloss.report.scores import FORMATS, Score, ranks, with_means

SCORES = [
    Score("a", "ours_1", {"EN": 7.0, "MSE": 10.0, "VIF": math.nan}),
    Score("b", "ours_1", {"EN": 6.0, "MSE": 30.0, "VIF": 0.5}),
    Score("a", "other", {"EN": 5.0, "MSE": 4.0, "VIF": 0.7}),
    Score("b", "other", {"EN": 5.5, "MSE": 6.0, "VIF": 0.9}),
]


@pytest.fixture
def scores():
    return with_means(SCORES)


def test_means_come_last_and_leave_out_what_is_not_defined(scores):
    assert [(score.image, score.method) for score in scores[-2:]] == [("mean", "ours_1"), ("mean", "other")]
    assert scores[-2].values == {"EN": 6.5, "MSE": 20.0, "VIF": 0.5}


def test_ranks_know_the_direction(scores):
    assert ranks(scores[-2:], "EN") == {"ours_1": 1, "other": 2}
    assert ranks(scores[-2:], "MSE") == {"ours_1": 2, "other": 1}


def test_equal_values_share_a_rank():
    tied = [Score("mean", name, {"EN": value}) for name, value in (("x", 1.0), ("y", 2.0), ("z", 2.0))]
    assert ranks(tied, "EN") == {"x": 2, "y": 1, "z": 1}


def test_csv_has_bare_names_and_a_convention_column(scores):
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](scores, "linfeng"))))
    assert list(rows[0]) == ["image", "method", "convention", "EN", "MSE", "VIF"]
    assert [row["image"] for row in rows] == ["a", "b", "a", "b", "mean", "mean"]
    assert rows[0]["convention"] == "linfeng"
    assert float(rows[-1]["MSE"]) == 5


def test_json_is_valid_where_a_value_is_not_defined(scores):
    rows = json.loads(FORMATS["json"](scores, "tdfusion"))
    assert rows[0]["VIF"] is None
    assert rows[-1] == {"image": "mean", "method": "other", "convention": "tdfusion", "EN": 5.25, "MSE": 5, "VIF": 0.8}


@pytest.mark.parametrize("form", ["table", "md", "latex"])
def test_tables_for_people_carry_convention_and_arrows(scores, form):
    text = FORMATS[form](scores, "clean")
    assert "clean" in text
    up, down = (r"$\uparrow$", r"$\downarrow$") if form == "latex" else ("↑", "↓")
    assert f"EN {up}" in text
    assert f"MSE {down}" in text


def test_best_and_second_best_are_marked(scores):
    assert "| other | <u>5.25</u> | **5** | **0.8** |" in FORMATS["md"](scores, "clean")
    assert r"ours\_1 & \textbf{6.5} & \underline{20} & \underline{0.5} \\" in FORMATS["latex"](scores, "clean")


def test_one_method_is_shown_image_by_image():
    lines = FORMATS["table"](with_means(SCORES[:2]), "clean").splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["image", "a", "b", "mean"]
    assert lines[2].split()[-1] == "-"
