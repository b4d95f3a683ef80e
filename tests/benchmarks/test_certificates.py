"""The certificate of the metrics, on a few images; the page has what it writes."""

import dataclasses
import statistics

import pytest

from benchmarks import certificates
from benchmarks.certificates import AGREES, PAGE, TABLES, certificate, main, metric_table, replaced
from benchmarks.deviations import DEVIATIONS
from benchmarks.published import Value, rows_of, values_of
from metaloss.errors import DataError
from metaloss.metrics import METRICS

VIFB, TNO = TABLES
SMALL = ("peopleshadow", "walking")


def few(table, data):
    """The rows of a few small images, of two methods each."""
    rows = rows_of(table, data)
    if table is TNO:
        return [row for row in rows if row["image"] == "01" and row["method"] in ("DenseFuse", "SeAFusion")]
    return [row for row in rows if row["image"] in SMALL and row["method"] in ("CNN", "U2Fusion")]


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.folder)
def test_a_few_published_values(table, real_data):
    data = real_data(table.folder).parent
    found = {}
    for value in values_of(table, data, few(table, data)):
        found.setdefault(value.metric, []).append(abs(value.difference))
    assert list(found) == list(table.columns.values())
    for name, differences in found.items():
        if name != "VIF":
            assert statistics.median(differences) <= (1e-3 if name == "Qabf" else 1e-4), name
        if (table.folder, name) not in DEVIATIONS:
            assert max(differences) <= AGREES, name


@pytest.mark.slow
@pytest.mark.parametrize(("folder", "name"), DEVIATIONS)
def test_what_is_said_of_a_deviation_gives_the_published_value(folder, name, real_data):
    data = real_data(folder).parent
    (table,) = (table for table in TABLES if table.folder == folder)
    one = dataclasses.replace(table, columns={theirs: ours for theirs, ours in table.columns.items() if ours == name})
    value = max(values_of(one, data, few(table, data)), key=lambda value: abs(value.difference))
    again = certificates._as_there(table, data, value)
    assert again == pytest.approx(value.published, rel=3e-5)
    assert abs(again / value.published - 1) < abs(value.difference) / 3


def test_a_certificate_of_made_up_values(tmp_path):
    table = dataclasses.replace(VIFB, of_other_files={"bad": "Other files."})
    values = [
        Value("SD", "one", "good", 2.0, 2.0001),
        Value("EN", "one", "good", 4.0, 4.0001),
        Value("EN", "two", "good", 4.0, 4.0),
        Value("EN", "one", "bad", 4.0, 3.0),
    ]
    lines = certificate(table, tmp_path, values).splitlines()
    assert lines[4] == "| EN | 3 | 2.5e-05 | 2.5e-05 | good, one | 4 | 4.0001 |"
    assert lines[5].startswith("| SD | 1 | 5.0e-05 | ")
    assert "**bad.** Other files." in lines
    assert "| EN | 2.5e-01 | 2.5e-01 | bad, one | 4 | 3 |" in lines
    with pytest.raises(KeyError, match="EN"):
        certificate(VIFB, tmp_path, [Value("EN", "one", "good", 4.0, 4.1)])


def test_lines_between_marks_are_written_anew():
    page = "a\n<!-- x -->\nold\n<!-- end -->\nb\n<!-- y -->\n<!-- end -->\n"
    assert replaced(page, "x", "new\n") == "a\n<!-- x -->\n\nnew\n\n<!-- end -->\nb\n<!-- y -->\n<!-- end -->\n"
    with pytest.raises(DataError, match="<!-- z -->"):
        replaced(page, "z", "new")


def test_the_page_has_todays_table_of_metrics():
    text = PAGE.read_text(encoding="utf-8")
    assert replaced(text, "metrics", metric_table()) == text, "python -m benchmarks.certificates --table"


def test_the_page_certifies_every_published_column():
    text = PAGE.read_text(encoding="utf-8").partition("<!-- certificate -->")[2].partition("<!-- end -->")[0]
    for table in TABLES:
        part = text.partition(f"convention `{table.convention}`")[2].partition("### ")[0]
        assert part, table.folder
        for name in table.columns.values():
            assert name in METRICS
            assert f"\n| {name} | {168 if table is VIFB else 16} | " in part


def test_the_command_writes_the_table_alone_without_data(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- metrics -->\n<!-- end -->\n<!-- certificate -->\nkept\n<!-- end -->\n")
    main(["--table", "--page", str(page), "--data", str(tmp_path)])
    text = page.read_text(encoding="utf-8")
    assert "| EN | ↑ | `entropy`, `Entropy` |" in text
    assert "kept" in text
    with pytest.raises(DataError, match="no such file; --data or METALOSS_DATA"):
        main(["--page", str(page), "--data", str(tmp_path)])
