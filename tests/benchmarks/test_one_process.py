"""Steps in turn in one process."""

import pytest

from benchmarks import one_process


def test_a_table_of_each_size(capsys) -> None:
    one_process.main(["--size", "16", "24", "--batch", "1", "--threads", "1", "--repeats", "1"])
    printed = capsys.readouterr().out
    for size in (16, 24):
        assert f"{size}x{size}, batch 1" in printed
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.splitlines() if line.startswith("|")]
    assert [row[0] for row in rows] == 2 * ["step", "---", "fusion step", "meta step, image"]
    assert rows[0][2] == "of fusion step"
    assert rows[2][2] == "1.00"
    assert all(float(row[2]) > 0 for row in (rows[3], rows[7]))


def test_a_way_that_there_is_not(capsys) -> None:
    with pytest.raises(SystemExit):
        one_process.main(["sideways"])
    assert "'sideways': expected one of forward, reverse," in capsys.readouterr().err
