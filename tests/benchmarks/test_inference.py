import json

import pytest

from benchmarks import inference


@pytest.mark.slow
def test_measures_and_writes(tmp_path, capsys):
    arguments = ["--size", "40x56", "480x640", "--ways", "ours", "--threads", "1", "--repeats", "1"]
    inference.main([*arguments, "--out", str(tmp_path)])
    figures = json.loads((tmp_path / "inference.json").read_text())["figures"]
    assert figures.keys() == {"40x56", "480x640"}
    for rows in figures.values():
        assert rows.keys() == {"straightforward", "ours"}
        assert all(row["seconds"] > 0 for row in rows.values())
        assert rows["ours"]["difference"] <= 1e-5
    large = figures["480x640"]
    assert large["ours"]["memory_mb"] < 0.5 * large["straightforward"]["memory_mb"]
    assert "| ours | " in (tmp_path / "inference.md").read_text()


def test_targets_compare_with_straightforward():
    rows = {
        "straightforward": {"seconds": 8.0, "difference": 0.0, "memory_mb": 1.0},
        "ours": {"seconds": 2.0, "difference": 1e-6, "memory_mb": 1.0},
        "ours, compiled": {"seconds": 1.0, "difference": 1e-2, "memory_mb": 1.0},
    }
    met = [(row[2], row[3]) for row in inference.targets({"480x640": rows}).rows]
    assert met == [("4.00", "met"), ("8.00", "**not met**")]
