import math

import pytest

from metaloss.report.box_plots import draw_box_plots
from metaloss.report.scores import Score, with_means

pytest.importorskip("matplotlib")


@pytest.fixture
def scores():
    return with_means(
        [
            Score(str(image), method, {"EN": image + shift, "PSNR": math.inf if image == 3 else 60.0 + image})
            for method, shift in (("ours$_1", 0.0), ("other", 4.0))
            for image in range(9)
        ]
    )


def test_there_is_a_plot_per_metric_and_a_box_per_method(scores, tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    drawn, draw = [], Axes.boxplot

    def watched(axis, values, **options):
        made = draw(axis, values, **options)
        drawn.append((values, axis))
        return made

    monkeypatch.setattr(Axes, "boxplot", watched)
    draw_box_plots(tmp_path / "new" / "plot.png", scores, "vifb")
    assert [axis.get_title() for _, axis in drawn] == ["EN ↑", "PSNR ↑"]
    (entropy, axis), (psnr, _) = drawn
    assert entropy == [[float(image) for image in range(9)], [image + 4.0 for image in range(9)]]
    assert [len(values) for values in psnr] == [8, 8], "infinite values are left out"
    assert [label.get_text() for label in axis.get_xticklabels()] == ["ours$_1", "other"]
    medians = [line.get_ydata()[0] for line in axis.lines if line.get_color() == "tab:red"]
    assert medians == [4.0, 8.0]
    assert "vifb (colour band by band" in axis.figure.get_suptitle()


@pytest.mark.parametrize(("suffix", "begins"), [(".png", b"\x89PNG"), (".PDF", b"%PDF"), (".svg", b"<?xml")])
def test_files(scores, tmp_path, suffix, begins):
    path = tmp_path / f"plot{suffix}"
    draw_box_plots(path, scores, "clean")
    assert path.read_bytes().startswith(begins)


def test_a_metric_that_is_defined_nowhere(tmp_path):
    draw_box_plots(tmp_path / "plot.png", [Score("a", "x", {"VIF": math.nan, "EN": 1.0})], "clean")
    assert (tmp_path / "plot.png").stat().st_size > 0
