import csv
import io
import json
import math

import pytest

from metaloss.report.scores import FORMATS, Score, ranks, ranks_in_the_mean, with_means

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


def test_of_two_methods_the_best_is_marked_alone(scores):
    assert "| other | 5.25 | **5** | **0.8** | **1.33** |" in FORMATS["md"](scores, "clean")
    assert r"ours\_1 & \textbf{6.5} & 20 & 0.5 & 1.67 \\" in FORMATS["latex"](scores, "clean")
    table = FORMATS["table"](scores, "clean")
    assert "; * best\n" in table
    assert "'" not in table
    assert table.splitlines()[-1].split() == ["other", "5.25", "5*", "0.8*", "1.33*"]


THREE = [
    Score("a", "x", {"EN": 3.0, "MSE": 1.0, "VIF": 1.0}),
    Score("a", "y", {"EN": 2.0, "MSE": 1.0, "VIF": math.nan}),
    Score("a", "z", {"EN": 1.0, "MSE": 4.0, "VIF": 2.0}),
]


def test_best_and_second_best_are_marked():
    means = with_means(THREE)
    lines = FORMATS["md"](means, "clean").splitlines()[-3:]
    assert lines == [
        # EN: places 1, 2, 3; MSE, where less is better: x and y share the places 1 and 2; VIF has none for y
        "| x | **3** | **1** | 1 | **1.25** |",
        "| y | <u>2</u> | **1** | - | <u>1.75</u> |",
        "| z | 1 | <u>4</u> | **2** | 3.00 |",
    ]
    assert "* best, ' second best" in FORMATS["table"](means, "clean")


def test_mean_ranks_know_directions_share_places_and_leave_out_what_is_not_defined():
    assert ranks_in_the_mean(with_means(THREE)[-3:]) == {"x": 1.25, "y": 1.75, "z": 3.0}
    nowhere = with_means([Score("a", name, {"VIF": math.nan}) for name in "xy"])
    assert all(math.isnan(value) for value in ranks_in_the_mean(nowhere[-2:]).values())
    assert FORMATS["md"](nowhere, "clean").splitlines()[-1] == "| y | - | - |"


def test_rows_for_each_image(scores):
    lines = FORMATS["md"](scores, "clean", per_image=True).splitlines()[2:]
    assert [line.split(" | ")[:2] for line in lines[2:]] == [
        [f"| {image}", method] for image in ("a", "b", "mean") for method in ("ours_1", "other")
    ]
    assert lines[2] == "| a | ours_1 | **7** | 10 | - |  |"
    assert lines[3] == "| a | other | 5 | **4** | 0.7 |  |"
    table = FORMATS["table"](scores, "clean", per_image=True).splitlines()
    assert table[1].split()[:2] == ["image", "method"]
    assert len(table) == 2 + 6
    text = FORMATS["latex"](scores, "clean", per_image=True)
    assert r"\begin{tabular}{llrrrr}" in text
    assert text.count("ours\\_1") == 3
    for form in ("csv", "json"):
        assert FORMATS[form](scores, "clean", per_image=True) == FORMATS[form](scores, "clean")


def test_latex_has_the_rules_of_booktabs(scores):
    lines = FORMATS["latex"](scores, "vifb").splitlines()
    assert lines[0].startswith("% convention: vifb (colour band by band")
    assert lines[1] == r"% needs \usepackage{booktabs}"
    assert [line for line in lines if line.startswith("\\") and not line.endswith("\\\\")] == [
        r"\begin{tabular}{lrrrr}", r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}"
    ]  # fmt: skip
    rows = [line for line in lines if line.endswith(r" \\")]
    assert [row.count(" & ") for row in rows] == [4, 4, 4]


def test_names_are_plain_text_in_latex():
    text = FORMATS["latex"](with_means([Score("a", name, {"EN": 1.0}) for name in (r"a\b", "50%_~^")]), "clean")
    assert r"a\textbackslash{}b & " in text
    assert r"50\%\_\textasciitilde{}\textasciicircum{} & " in text


def test_markdown_keeps_names_in_their_cells() -> None:
    scores = with_means([Score("<b>", name, {"EN": 1.0}) for name in ("a|b", "*c*\\")])
    lines = FORMATS["md"](scores, "clean", per_image=True).splitlines()
    assert [line.split("** |")[0] for line in lines[4:6]] == [r"| \<b> | a\|b | **1", r"| \<b> | \*c\*\\ | **1"]


@pytest.mark.parametrize("form", ["table", "md", "latex"])
def test_tables_say_what_is_done_with_colour(scores, form):
    assert "clean (colour by its luma, rounded)" in FORMATS[form](scores, "clean")
    assert "vifb (colour band by band, mean of the three values" in FORMATS[form](scores, "vifb")


def test_values_that_are_not_finite_are_null_in_json():
    rows = json.loads(FORMATS["json"](with_means([Score("a", "x", {"PSNR": math.inf})]), "clean"))
    assert [row["PSNR"] for row in rows] == [None, None]


def test_one_method_is_shown_image_by_image():
    lines = FORMATS["table"](with_means(SCORES[:2]), "clean").splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["image", "a", "b", "mean"]
    assert lines[1].split() == ["image", "EN", "↑", "MSE", "↓", "VIF", "↑"]
    assert lines[2].split()[-1] == "-"
