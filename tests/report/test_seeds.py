import csv
import io
import json
import shutil
import subprocess

import pytest

from metaloss.report.seeds import FORMATS

VALUES = {
    "ir": {0: {"mIoU": 50.0, "MSE": 3.0}, 1: {"mIoU": 52.0, "MSE": 5.0}},
    "vi_grey": {0: {"mIoU": 40.0, "MSE": 1.0}, 1: {"mIoU": 44.0, "MSE": 1.0}},
    "fused": {0: {"mIoU": 60.0, "MSE": 2.0}, 1: {"mIoU": 60.0, "MSE": 2.0}},
}


def test_a_table_marks_the_best_and_the_second_best() -> None:
    legend, header, *rows = FORMATS["table"](VALUES).splitlines()
    assert legend == "mean ± standard deviation over 2 seeds; * best, ' second best"
    assert header.split() == ["method", "mIoU", "↑", "MSE", "↓"]
    assert [row.split() for row in rows] == [
        ["ir", "51.00", "±", "1.41'", "4.00", "±", "1.41"],
        ["vi_grey", "42.00", "±", "2.83", "1.00", "±", "0.00*"],
        ["fused", "60.00", "±", "0.00*", "2.00", "±", "0.00'"],
    ]


def test_markdown() -> None:
    lines = FORMATS["md"](VALUES).splitlines()
    assert lines[0] == "| method | mIoU ↑ | MSE ↓ |"
    assert lines[-1] == "| fused | **60.00 ± 0.00** | <u>2.00 ± 0.00</u> |"


def test_csv_has_every_seed_then_means_and_deviations() -> None:
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](VALUES))))
    assert [row["seed"] for row in rows] == ["0", "1"] * 3 + ["mean"] * 3 + ["std"] * 3
    assert float(rows[6]["mIoU"]) == 51
    assert float(rows[9]["mIoU"]) == pytest.approx(2**0.5, rel=1e-5)


def test_json() -> None:
    content = json.loads(FORMATS["json"](VALUES))
    assert content["ir"]["seeds"]["1"] == {"mIoU": 52.0, "MSE": 5.0}
    assert content["ir"]["mean"] == {"mIoU": 51.0, "MSE": 4.0}


def test_one_seed() -> None:
    text = FORMATS["table"]({"ir": {0: {"mAP": 12.3456}}})
    assert text.splitlines()[-1].split() == ["ir", "12.35"]
    assert text.startswith("one seed\nmethod")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(98.765, "98.77"), (1.5, "1.50"), (0.9876, "0.988"), (0.0123456, "0.0123"), (0.000123, "0.0001"), (0, "0.00")],
)
def test_values_keep_their_scale_whatever_their_size(value, shown) -> None:
    header, row = FORMATS["table"]({"ir": {0: {"mIoU": value}}}).splitlines()[1:]
    assert header.split() == ["method", "mIoU", "↑"]
    assert row.split() == ["ir", shown]


def test_of_two_methods_the_worse_is_no_second_best() -> None:
    two = {name: VALUES[name] for name in ("ir", "fused")}
    text = FORMATS["md"](two)
    assert "<u>" not in text
    assert "| fused | **60.00 ± 0.00** | **2.00 ± 0.00** |" in text
    assert FORMATS["table"](two).splitlines()[0].endswith("; * best")


def test_latex_escapes_names_and_compiles(tmp_path) -> None:
    text = FORMATS["latex"](VALUES)
    assert r"vi\_grey & 42.00 $\pm$ 2.83 & \textbf{1.00 $\pm$ 0.00} \\" in text
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    (tmp_path / "t.tex").write_text(
        rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{text}\end{{document}}"
    )
    done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "t.tex"], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0
