"""``metaloss report``."""

import builtins
import json
from pathlib import Path

import pytest

from metaloss.cli.report import distinct_names

pytest.importorskip("plotly")


@pytest.fixture
def run_dir(tmp_path):
    data = tmp_path / "runs" / "mine" / "20260101_120000" / "vis_data"
    data.mkdir(parents=True)
    (data / "scalars.json").write_text(json.dumps({"task_loss": 0.5, "step": 1}) + "\n{broken\n")
    return tmp_path / "runs" / "mine"


def test_a_page_takes_the_place_of_an_older_one(command, run_dir, tmp_path):
    out = tmp_path / "new" / "report.html"
    done = command("report", run_dir, "--out", out)
    assert (done.status, done.err) == (0, "")
    assert "mine: 20260101_120000/vis_data/scalars.json: line 2 damaged, and left out" in done.out
    page = out.read_text()
    assert page.count("<title>Training report: mine</title>") == 1
    assert page.count("plotly.js v") == 1
    out.write_text("old")
    assert command("report", run_dir, "--out", out).status == 0
    assert out.read_text().startswith("<!doctype html>")
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]


def test_mistakes(refused, run_dir, tmp_path, monkeypatch):
    out = tmp_path / "report.html"
    for arguments, words in (
        ([run_dir], "--out is missing"),
        ([run_dir, "--out", tmp_path / "report.pdf"], "expected a file whose name ends in .html"),
        ([run_dir, "--out", tmp_path], f"is a folder; give a file in it, {tmp_path}/report.html say"),
        ([run_dir, tmp_path / "none", "--out", out], "none: no such folder"),
        ([run_dir, run_dir, "--out", out], "given twice"),
        ([tmp_path / "runs", "--out", out], f"no run, but in it are some; give these: {run_dir}"),
        ([run_dir, "--out", run_dir / "20260101_120000" / "vis_data" / "scalars.json" / "x.html"], "is a file"),
    ):
        assert words in refused("report", *arguments)
    own = builtins.__import__

    def without(name, *more):
        if name.startswith("plotly"):
            raise ModuleNotFoundError(name=name)
        return own(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "needs plotly, not installed: pip install" in refused("report", run_dir, "--out", out)
    assert not out.exists()


def test_a_full_disk(refused, run_dir, tmp_path, full_disk):
    out = tmp_path / "report.html"
    assert refused("report", run_dir, "--out", out) == f"{out}: No space left on device (--debug shows where)"
    assert not out.exists()


def test_runs_are_named_by_what_tells_them_apart():
    assert distinct_names([Path("/a/b/seed_0")]) == ["seed_0"]
    assert distinct_names([Path("/a/b/seed_0"), Path("/a/c/seed_0")]) == ["b/seed_0", "c/seed_0"]
    assert distinct_names([Path("/a/b/x"), Path("/a/b/y")]) == ["x", "y"]
