import csv
import importlib.util
import io
import json
import shutil
import subprocess

import pytest
import torch

from metaloss.cli.main import main
from metaloss.colour import luma
from metaloss.data import read_image, write_image
from metaloss.data.views import resize
from metaloss.metrics import evaluate


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


def test_sources_registered_at_several_sizes(folders, tmp_path, capsys):
    ir, vi, fused = folders
    for stem in ("one", "two"):
        write_image(vi / f"{stem}.png", torch.rand(3, 96, 90))
    status, _, err = run(capsys, ir, vi, "--fused", fused)
    assert status == 2
    assert "--size-of ir" in err
    options = ("--format", "json", "--metrics", "EN,SSIM,MI")
    status, out, _ = run(capsys, ir, vi, "--fused", fused, "--size-of", "ir", *options)
    assert status == 0
    for row in json.loads(out)[:2]:
        one, other, result = (read_image(folder / f"{row['image']}.png") for folder in (ir, vi, fused))
        grey = [(image * 255).round()[None] for image in (one, luma(resize(other, (48, 50))), result)]
        for name, value in evaluate(grey[2], grey[:2], metrics=("EN", "SSIM", "MI")).items():
            assert row[name] == pytest.approx(float(value), abs=2e-5), name
    status, _, err = run(capsys, ir, vi, "--fused", fused, "--size-of", "vi")
    assert status == 2
    assert "one.png is 50x48 pixels" in err
    assert "vi/one.png 90x96" in err


def test_a_name_of_two_lines_is_said_in_one(folders, capsys):
    ir, vi, fused = folders
    (fused / "two.png").rename(fused / "two\nlines.png")
    status, _, err = run(capsys, ir, vi, "--fused", fused, "--skip-bad")
    assert status == 0
    assert "two lines.png: no image of that name" in err
    assert all(line.startswith("skipped: ") for line in err.splitlines())


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
        (["{ir}", "{vi}", "--fused", "{fused}", "--metrics", "EN,Qab"], "'Qab' is not known (did you mean 'Qabf'?)"),
        (["{ir}", "{vi}", "--fused", "{fused}", "--metrics", "EN,"], "'' is not known"),
        (["{ir}", "{vi}", "--fused", "{fused}", "--metrics", "EN,SF,EN"], "EN is there twice"),
        (["{ir}", "{vi}", "--fused", "{fused}", "--metrics", "LPIPS"], "LPIPS needs a network"),
        (["{ir}", "{vi}", "--fused", "a={fused}", "--compare", "a,b"], "no --fused is named 'b'"),
        (["{ir}", "{vi}", "--fused", "a={fused}", "--compare", "a"], "two different methods"),
        (["{ir}", "{vi}", "--fused", "a={fused}", "--compare", "a,a"], "two different methods"),
        (["{ir}", "{vi}", "--fused", "{fused}", "--plot", "plot.txt"], "ends in .png, .pdf, .svg"),
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


@pytest.fixture
def two(folders, tmp_path):
    """Options for two methods, of which the second gives the first source as it is."""
    ir, vi, fused = folders
    for stem in ("three", "four", "five"):
        for folder in folders:
            write_image(folder / f"{stem}.png", torch.rand(1, 48, 50))
    return [ir, vi, "--fused", f"mine={fused}", "--fused", f"first={ir}"]


def test_a_choice_of_metrics_in_the_order_given(folders, capsys):
    ir, vi, fused = folders
    whole = json.loads(run(capsys, ir, vi, "--fused", fused, "--format", "json")[1])
    some = json.loads(run(capsys, ir, vi, "--fused", fused, "--format", "json", "--metrics", "VIF, EN")[1])
    assert list(some[0]) == ["image", "method", "convention", "VIF", "EN"]
    assert all(row.items() <= other.items() for row, other in zip(some, whole, strict=True))


def test_a_metric_asked_for_by_name_is_not_left_out(folders, capsys):
    ir, vi, fused = folders
    status, out, err = run(capsys, ir, vi, "--fused", fused, "--metrics", "EN,MS-SSIM")
    assert (status, out) == (2, "")
    assert "MS-SSIM is not defined for images of 48x50 pixels" in err


def test_rows_for_each_image(two, capsys):
    out = run(capsys, *two, "--metrics", "EN,CC", "--per-image")[1]
    lines = [line.split() for line in out.splitlines()[1:]]
    assert lines[0] == ["image", "method", "EN", "↑", "CC", "↑", "mean", "rank", "↓"]
    assert [line[:2] for line in lines[1:]] == [
        [image, method] for image in ("five", "four", "one", "three", "two", "mean") for method in ("mine", "first")
    ]


def test_two_methods_compared(two, capsys):
    out = run(capsys, *two, "--metrics", "CC,MSE", "--compare", "first,mine")[1]
    means, compared = out.split("\n\n")
    assert means.splitlines()[1].split()[-3:] == ["mean", "rank", "↓"]
    lines = compared.splitlines()
    assert lines[0].startswith("first and mine, two-sided Wilcoxon signed-rank test over images")
    # a source resembles itself more than noise does, on five images of five: 2 / 2^5
    assert [line.split()[0] for line in lines[2:]] == ["CC", "MSE"]
    assert [line.split()[-5:] for line in lines[2:]] == [["5", "0", "5", "0.062", "0.12"]] * 2
    content = json.loads(run(capsys, *two, "--metrics", "CC", "--compare", "first,mine", "--format", "json")[1])
    assert content["metrics"][0]["p"] == 0.0625
    assert content["metrics"][0]["first"] > content["metrics"][0]["second"]


def test_a_plot(two, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "plots" / "boxes.png"
    status, out, _ = run(capsys, *two, "--metrics", "EN,CC", "--plot", path)
    assert status == 0
    assert read_image(path).shape[0] in (3, 4)
    assert out.startswith("convention: tdfusion (colour by its luma, rounded)")


@pytest.mark.parametrize(("package", "option"), [("matplotlib", ["--plot", "x.png"]), ("scipy", ["--compare", "a,b"])])
def test_a_package_that_is_not_there_is_named_beforehand(folders, capsys, monkeypatch, package, option):
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: None if name == package else find(name, *more))
    monkeypatch.setattr("metaloss.cli.evaluate._run", None)
    ir, vi, fused = folders
    status, out, err = run(capsys, ir, vi, "--fused", f"a={fused}", "--fused", f"b={fused}", *option)
    assert (status, out) == (2, "")
    assert f"needs {package}, not installed: pip install {package}" in err


@pytest.fixture
def coloured(tmp_path):
    """Grey infrared, visible and fused in colour; and the same fused images once more in grey."""
    places = [tmp_path / name for name in ("ir", "vi", "colour", "grey")]
    for stem in ("one", "two"):
        for place in places:
            write_image(place / f"{stem}.png", torch.rand(3 if place.name in ("vi", "colour") else 1, 48, 50))
    return places


def test_colour_is_measured_as_the_convention_says(coloured, capsys):
    ir, vi, colour, grey = coloured
    bands, one_band = {}, {}
    for convention in ("vifb", "tdfusion"):
        options = ["--fused", colour, "--fused", grey, "--format", "json", "--convention", convention]
        rows = json.loads(run(capsys, ir, vi, *options, "--metrics", "SD,SF,Qabf")[1])
        bands[convention], one_band[convention] = rows[0], rows[2]
    fused, infrared, visible = (read_image(place / "one.png").mul(255).round()[None] for place in (colour, ir, vi))
    expected = evaluate(fused, (infrared, visible), convention="vifb", metrics=["SD", "SF", "Qabf"])
    fused, visible = ((luma(image / 255) * 255).round() for image in (fused, visible))
    by_luma = evaluate(fused, (infrared, visible), convention="tdfusion", metrics=["SD", "SF", "Qabf"])
    for name in ("SD", "SF", "Qabf"):
        assert bands["vifb"][name] == pytest.approx(expected[name].item(), rel=1e-5)
        assert bands["tdfusion"][name] == pytest.approx(by_luma[name].item(), rel=1e-5)
        assert bands["vifb"][name] != pytest.approx(bands["tdfusion"][name], rel=1e-2)
    assert one_band["vifb"]["SD"] == pytest.approx(one_band["tdfusion"]["SD"])


def test_tables_say_what_is_done_with_colour(folders, capsys):
    ir, vi, fused = folders
    for form in ("table", "md", "latex"):
        out = run(capsys, ir, vi, "--fused", fused, "--metrics", "EN", "--convention", "vifb", "--format", form)[1]
        assert "vifb (colour band by band, mean of the three values; SF on the bands side by side)" in out


def test_of_two_methods_the_worse_is_no_second_best(two, capsys):
    out = run(capsys, *two, "--metrics", "CC", "--format", "md")[1]
    assert "<u>" not in out
    assert out.splitlines()[-1].startswith("| first | **")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("more", [[], ["--per-image"], ["--compare", "our_s,other"]])
def test_latex_compiles(folders, capsys, tmp_path, more):
    ir, vi, fused = folders
    options = ["--fused", f"our_s={fused}", "--fused", f"other={fused}", "--format", "latex", *more]
    _, out, _ = run(capsys, ir, vi, *options)
    page = tmp_path / "table.tex"
    begin = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
    page.write_text(begin + out + "\\end{document}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", page.name]
    compiled = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stdout[-500:]
