import csv
import io
import json
import shutil
import subprocess

import pytest
import torch

from metaloss.cli.main import main
from metaloss.data import write_image


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", *map(str, arguments)])
    output = capsys.readouterr()
    return stop.value.code, output.out, output.err


@pytest.fixture
def folders(tmp_path):
    for name in ("ir", "vi", "fused"):
        for stem in ("one", "two"):
            write_image(tmp_path / name / f"{stem}.png", torch.rand(1, 48, 50))
    return tmp_path / "ir", tmp_path / "vi", tmp_path / "fused"


@pytest.mark.slow
def test_csv_of_the_published_methods(real_data, capsys):
    data = real_data("metric_reference_tno")
    methods = sorted(path.name for path in (data / "fused").iterdir())
    options = [text for name in methods for text in ("--fused", data / "fused" / name)]
    status, out, _ = run(
        capsys, data / "ir", data / "vi", *options, "--format", "csv", "--convention", "linfeng", "--processes", 2
    )
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 0
    assert [row["method"] for row in rows if row["image"] == "mean"] == methods
    with (data / "published_values.csv").open() as file:
        published = list(csv.DictReader(file))
    assert {row["image"] for row in rows} - {"mean"} == {path.stem for path in (data / "ir").iterdir()}
    assert len(rows) == len(published) + len(methods)


def test_json_alone_goes_to_stdout(folders, capsys):
    ir, vi, fused = folders
    status, out, _ = run(capsys, ir, vi, "--fused", f"mine={fused}", "--format", "json")
    rows = json.loads(out)
    assert status == 0
    assert [(row["image"], row["method"]) for row in rows] == [("one", "mine"), ("two", "mine"), ("mean", "mine")]


def test_patterns_stand_for_folders(folders, capsys):
    ir, vi, fused = folders
    whole = run(capsys, ir, vi, "--fused", fused, "--format", "csv")
    patterns = run(capsys, ir / "*.png", vi / "*.png", "--fused", fused / "*.png", "--format", "csv")
    assert patterns == whole
    one = run(capsys, ir / "o*.png", vi / "o*.png", "--fused", f"fused={fused / 'o*'}", "--format", "csv")
    assert [line.split(",")[0] for line in one[1].splitlines()] == ["image", "one", "mean"]


@pytest.mark.slow
def test_several_processes_give_the_same(folders, capsys):
    ir, vi, fused = folders
    results = [run(capsys, ir, vi, "--fused", fused, "--format", "csv", "--processes", n)[1] for n in (1, 2)]
    assert results[0] == results[1]


@pytest.mark.parametrize("fault", ["unreadable", "mis-sized", "unpaired", "not fused"])
def test_bad_files_are_named_and_skipped_only_when_asked(folders, capsys, fault):
    ir, vi, fused = folders
    if fault == "unreadable":
        (fused / "two.png").write_bytes((fused / "two.png").read_bytes()[:60])
    elif fault == "mis-sized":
        write_image(fused / "two.png", torch.rand(1, 48, 52))
    elif fault == "unpaired":
        (vi / "two.png").unlink()
    else:
        (fused / "two.png").unlink()
    status, out, err = run(capsys, ir, vi, "--fused", fused, "--format", "csv")
    assert status == 2
    assert out == ""
    assert "two.png" in err
    assert err.strip().splitlines()[-1].startswith("error: 1 image cannot be measured")
    status, out, err = run(capsys, ir, vi, "--fused", fused, "--format", "csv", "--skip-bad")
    assert status == 0
    assert "two" not in out
    assert "two.png" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{ir}", "--fused", "{fused}"], "at least two"),
        (["{ir}", "{vi}"], "--fused is missing"),
        (["{ir}", "{vi}", "--fused", "nowhere"], "no such folder"),
        (["{ir}", "nowhere", "--fused", "{fused}"], "no such folder"),
        (["{ir}", "{vi}", "--fused", "{fused}", "--convention", "linfen"], "did you mean 'linfeng'"),
        (["{ir}", "{vi}", "--fused", "{fused}", "--fused", "{fused}"], "is taken"),
        (["{ir}", "{vi}", "--fused", "{fused}", "--format", "xml"], "xml"),
    ],
)
def test_mistakes_are_one_line(folders, capsys, arguments, words):
    names = dict(zip(("ir", "vi", "fused"), map(str, folders), strict=True))
    status, out, err = run(capsys, *(argument.format(**names) for argument in arguments))
    assert status == 2
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("error: ")
    assert words in err


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(folders, capsys, tmp_path):
    ir, vi, fused = folders
    _, out, _ = run(capsys, ir, vi, "--fused", f"our_s={fused}", "--fused", f"other={fused}", "--format", "latex")
    page = tmp_path / "table.tex"
    page.write_text("\\documentclass{article}\\begin{document}\n" + out + "\\end{document}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", page.name]
    compiled = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stdout[-500:]
