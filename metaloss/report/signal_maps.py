"""What the task asks of the fusion loss, as pictures: scenes, their labels, and which source each pixel asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from metaloss.data.exchange import own_order
from metaloss.data.regions import Region, class_name, regions_of
from metaloss.report.signal_table import Found, heading
from metaloss.runtime.files import written_whole
from metaloss.training.signal_map import SignalMap

_CELL, _SIDES, _ROW, _BELOW, _DPI = 2.2, 0.3, 0.1, 1.1, 110  # inches, and dots in one
_BAR = 0.06  # of a row
_ACROSS = 5  # classes in a line of the legend
_IN_RANGE = 0.98  # the share of pixels that the colours tell apart
_WINDOWS = 16  # over the height of a map


@dataclass(frozen=True)
class Scene:
    """What there is to show of one scene.

    Attributes:
        name: its name, or an empty string.
        sources: (n, H, W), in [0, 1], in their own order.
        fused: (H, W).
        regions: of its labels.
        asked: of the first source, by inner update, (H, W).
    """

    name: str
    sources: Tensor
    fused: Tensor
    regions: Sequence[Region]
    asked: Mapping[str, Tensor]

    @property
    def outlined(self) -> list[Region]:
        """The regions whose outlines say something: where they fill the scene, the largest lies around the others."""
        regions = sorted(self.regions, key=lambda region: -int(region.on.sum()))
        if regions and not bool(torch.stack([region.off for region in regions]).all(0).any()):
            regions = regions[1:]
        return [region for region in regions if bool(region.on.any()) and not bool(region.on.all())]


def scenes_of(found: Found, count: int, ignore: int = 255) -> list[Scene]:
    """Chooses the scenes that show most classes, of equal ones the first; none twice.

    Args:
        found: signals, where they can be of the same batches.
        count: how many.
        ignore: the class id that stands for "no class".
    """
    scenes: dict[str, Scene] = {}
    for number, each in enumerate(next(iter(found.values())).maps):
        same = {
            update: other
            for update, signal in found.items()
            for other in signal.maps
            if other.batch.sources[0] is each.batch.sources[0]
        }
        for place in range(len(each.batch)):
            name = each.batch.names[place] if each.batch.names else ""
            scenes.setdefault(name or f"{number} {place}", _scene(name, same, each, place, ignore))
    return sorted(scenes.values(), key=lambda scene: -len(scene.regions))[:count]


def _scene(name: str, same: Mapping[str, SignalMap], each: SignalMap, place: int, ignore: int) -> Scene:
    sources = own_order(torch.stack(each.batch.sources, 1).mean(2), each.batch.order)[place].cpu()
    return Scene(
        name=name,
        sources=sources,
        fused=each.fused[place].mean(0).cpu(),
        regions=list(regions_of(each.batch.target, place, sources.shape[-2:], ignore, torch.device("cpu"))),
        asked={update: other.asked[place, 0].cpu() for update, other in same.items()},
    )


def smoothed(asked: Tensor) -> Tensor:
    """The mean of a map (H, W) around each pixel, over a window of a sixteenth of its height: single pixels differ."""
    window = 2 * (asked.shape[0] // (2 * _WINDOWS)) + 1
    return F.avg_pool2d(asked[None], window, stride=1, padding=window // 2, count_include_pad=False)[0]


def draw_signal(path: Path, scenes: Sequence[Scene], sources: Sequence[str], classes: Sequence[str], own: str) -> None:
    """Draws a row per scene: sources, fused image with the outlines of the labels, and a map per inner update.

    Args:
        path: of the PNG file; its folder is made when missing.
        scenes: at least one.
        sources: n names.
        classes: by class id.
        own: the inner update that the config trains with.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    updates = list(dict.fromkeys(update for scene in scenes for update in scene.asked))
    columns, (height, width) = len(sources) + 1 + len(updates), scenes[0].fused.shape
    size = (_CELL * columns + _SIDES, (_CELL * height / width + _ROW) * len(scenes) + _BELOW)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(len(scenes) + 1, columns, height_ratios=[*(1 for _ in scenes), _BAR])
    axes = np.array([[figure.add_subplot(grid[row, k]) for k in range(columns)] for row in range(len(scenes))])
    colours = _colours(scenes)
    for row, scene in zip(axes, scenes, strict=True):
        for axis, image in zip(row, [*scene.sources, scene.fused], strict=False):
            axis.imshow(image.numpy(), cmap="gray", vmin=0, vmax=1)
        _outline(row[len(sources)], scene, colours, 1.4)
        row[0].set_ylabel(scene.name, fontsize=8, parse_math=False)
    less = f"more of {sources[1]}" if len(sources) == 2 else f"less of {sources[0]}"
    for number, update in enumerate(updates, len(sources) + 1):
        drawn, place = _draw_maps(axes[:, number], scenes, update), figure.add_subplot(grid[-1, number])
        bar = figure.colorbar(drawn, cax=place, orientation="horizontal", extend="both")
        bar.set_label(f"{less}   |   more of {sources[0]}", fontsize=8, parse_math=False)
        bar.ax.tick_params(labelsize=8)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    titles = [*sources, "fused, labels" if colours else "fused"]
    titles += [f"asked of {sources[0]}\n{heading(update, own)}" for update in updates]
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=10, parse_math=False)
    if colours:
        lines = [Line2D([], [], color=colour, label=class_name(number, classes)) for number, colour in colours.items()]
        below = figure.add_subplot(grid[-1, : len(sources) + 1])
        below.set_axis_off()
        legend = below.legend(handles=lines, loc="upper center", ncols=_ACROSS, fontsize=9, frameon=False)
        for text in legend.get_texts():
            text.set_parse_math(False)
    with written_whole(path) as file:
        figure.savefig(file, dpi=_DPI, format="png")


def _draw_maps(column: Any, scenes: Sequence[Scene], update: str) -> Any:
    """One inner update's maps, in colours of one range; gives what the colour bar is for."""
    maps = [smoothed(scene.asked[update]) if update in scene.asked else None for scene in scenes]
    sizes = np.concatenate([each.abs().numpy().ravel() for each in maps if each is not None])
    limit, drawn = float(np.quantile(sizes, _IN_RANGE)), None
    for axis, scene, each in zip(column, scenes, maps, strict=True):
        if each is not None:
            drawn = axis.imshow(each.numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit)
            _outline(axis, scene, {region.number: "black" for region in scene.outlined}, 0.7)
    return drawn


def _colours(scenes: Sequence[Scene]) -> dict[int, Any]:
    """A colour for each class that is outlined somewhere."""
    import matplotlib

    numbers = sorted({region.number for scene in scenes for region in scene.outlined})
    palette = matplotlib.colormaps["tab10" if len(numbers) <= 10 else "tab20"]
    return {number: palette(place % palette.N) for place, number in enumerate(numbers)}


def _outline(axis: Any, scene: Scene, colours: Mapping[int, Any], width: float) -> None:
    for region in scene.outlined:
        axis.contour(region.on.numpy(), levels=[0.5], colors=[colours[region.number]], linewidths=width)
