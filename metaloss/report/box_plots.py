"""How the scores of each method are spread over the images: a box plot per metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from metaloss.metrics import METRICS
from metaloss.report.scores import MEAN, Score, stated
from metaloss.runtime.files import written_whole

SUFFIXES = (".png", ".pdf", ".svg")
_ACROSS = 5
_WIDTH, _HEIGHT, _DPI = 2.6, 2.6, 150


def draw_box_plots(path: Path, scores: Sequence[Score], convention: str) -> None:
    """Draws one plot per metric with a box per method: median, quartiles, whiskers of 1.5 quartile distances, outliers.

    Args:
        path: of the file, with one of :data:`SUFFIXES`; its folder is made when missing.
        scores: of images; rows of means are passed over, and so are values that are not finite.
        convention: its name.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [score for score in scores if score.image != MEAN]
    methods, names = list(dict.fromkeys(score.method for score in rows)), list(rows[0].values)
    across = min(_ACROSS, len(names))
    down = math.ceil(len(names) / across)
    wide = max(1.0, len(methods) / 5)
    figure = Figure(figsize=(_WIDTH * wide * across, _HEIGHT * down + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"convention: {stated(convention)}", fontsize=9, parse_math=False)
    for number, name in enumerate(names, start=1):
        axis = figure.add_subplot(down, across, number)
        values = [
            [score.values[name] for score in rows if score.method == method and math.isfinite(score.values[name])]
            for method in methods
        ]
        axis.boxplot(values, widths=0.6, medianprops={"color": "tab:red"}, flierprops={"markersize": 3})
        axis.set_title(f"{name} {METRICS[name].arrow}", fontsize=10, parse_math=False)
        axis.set_xticks(range(1, len(methods) + 1), methods, rotation=45, ha="right", fontsize=7, parse_math=False)
        axis.tick_params(axis="y", labelsize=7)
    with written_whole(path) as file:
        figure.savefig(file, dpi=_DPI, format=path.suffix[1:].lower())
