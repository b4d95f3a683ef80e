"""The tables that end a training."""

import io

import pytest
from rich.console import Console

pytest.importorskip("mmengine")

from metaloss.engine.hooks import region_table, summary


def test_the_table_has_before_on_the_left():
    table = summary(
        {"task_loss": 2.0, "weight_1": 0.25}, {"task_loss": 1.0, "weight_1": 0.75, "mIoU": 51.25}, ("ir", "vi")
    )
    assert [column.header for column in table.columns] == ["", "before", "after"]
    rows = list(zip(*(column.cells for column in table.columns), strict=True))
    assert rows == [("task loss", "2", "1"), ("mean weight of vi", "0.25", "0.75"), ("mIoU", "-", "51.25")]


def test_the_table_of_the_weights_by_region():
    metrics = {"mIoU": 3.0, "weight/ir/on/person": 0.75, "weight/ir/off/person": 0.25, "weight/vi/on/person": 0.125}
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(region_table(metrics))
    words = [line.replace("┃", " ").replace("│", " ").split() for line in console.export_text().splitlines()]
    assert ["ir", "on", "ir", "off", "vi", "on", "vi", "off"] in words
    assert ["person", "0.750", "0.250", "0.125", "-"] in words
    assert region_table({"mIoU": 3.0}) is None


def test_tables_show_names_with_brackets_as_they_are():
    metrics = {"weight/[ir]/on/[car]": 0.75, "weight_0": 0.5, "IoU.[bold]": 1.0}
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(region_table(metrics), summary({}, metrics, ("[ir]",)))
    shown = console.export_text()
    for words in ("[ir] on", "[car]", "mean weight of [ir]", "IoU.[bold]"):
        assert words in shown, words
