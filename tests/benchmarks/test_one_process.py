"""The steps in turn in one process."""

from benchmarks import one_process


def test_a_table_of_each_size(capsys) -> None:
    one_process.main(["--size", "16", "24", "--batch", "1", "--threads", "1", "--repeats", "1"])
    printed = capsys.readouterr().out
    for size in (16, 24):
        assert f"{size}x{size}, batch 1" in printed
    rows = [line for line in printed.splitlines() if line.startswith("|")]
    assert len(rows) == 2 * (2 + len(one_process.STEPS))
    published, fusion = ([cell.strip() for cell in rows[k].split("|")[1:-1]] for k in (2, 5))
    assert published[0] == "published"
    assert published[2] == "1.00"
    assert fusion[0] == "fusion step"
    assert fusion[3] == "1.00"
