"""A loss generator's weights as heat maps over the sources (TDFusion, Figure 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from metaloss.runtime.files import written_whole

Maps = Mapping[str, Tensor]
"""Weights (n, H, W) by row title."""


def draw_weight_maps(path: Path, sources: Sequence[Tensor], maps: Maps, names: Sequence[str]) -> None:
    """Draws the sources, and below them a row per loss generator: each source under its weights.

    Args:
        path: of the PNG file; its folder is made when missing.
        sources: n grey images (1, H, W), in [0, 1].
        maps: what to lay over them.
        names: of the sources.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height, width = sources[0].shape[-2:]
    rows, columns = len(maps) + 1, len(sources)
    cell = 3.2
    figure = Figure(figsize=(cell * columns + 0.9, cell * rows * height / width + 0.3 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    drawn = None
    for row, (title, weights) in zip(axes, [("", None), *maps.items()], strict=True):
        for column, axis in enumerate(row):
            axis.imshow(sources[column][0].numpy(), cmap="gray", vmin=0, vmax=1)
            if weights is None:
                axis.set_title(names[column], fontsize=10, parse_math=False)
            else:
                drawn = axis.imshow(weights[column].numpy(), cmap="turbo", vmin=0, vmax=1, alpha=0.6)
                axis.set_title(f"{title}: mean {float(weights[column].mean()):.3f}", fontsize=9, parse_math=False)
            axis.set_axis_off()
    if drawn is not None:
        figure.colorbar(drawn, ax=axes[1:, -1].tolist(), shrink=0.8, label="weight")
    with written_whole(path) as file:
        figure.savefig(file, dpi=110, format="png")
