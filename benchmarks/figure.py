"""The figure: time and memory of every way, and growth with image size and K."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from benchmarks.interleaved import Bench, Result
from benchmarks.plan import Plan
from benchmarks.sections import BASELINE

OURS, THEIRS, PALE = "#0b6e99", "#c8553d", "#8ab6c9"
SHORT = {
    "published": ("published way", THEIRS),
    "double backward": ("plain double backward", THEIRS),
    "torchopt": ("TorchOpt", THEIRS),
    "higher": ("higher", THEIRS),
    "reverse": ("metaloss reverse", PALE),
    "finite_difference": ("metaloss finite diff.", PALE),
    "forward": ("metaloss forward", OURS),
}


def draw(path: Path, machine: str, plan: Plan, bench: Bench) -> None:
    """Draws what was measured."""
    size = plan.sizes[-1]
    figure, axes = plt.subplots(2, 2, figsize=(11, 7.5), layout="constrained")
    bars(axes[0, 0], bench, plan, "time", 1, f"Seconds per meta-gradient, {size}x{size}")
    bars(axes[0, 1], bench, plan, "memory", 1024, f"Peak memory, GB, {size}x{size}")
    lines(axes[1, 0], bench, plan, "size", "Peak memory with image size, GB", "height and width, pixels")
    lines(axes[1, 1], bench, plan, "steps", "Peak memory with inner steps, GB", "K")
    figure.suptitle(f"The meta-gradient: batch {plan.batch}, {machine.split(',')[0]}", fontsize=13)
    figure.savefig(path, dpi=140)
    plt.close(figure)


def bars(axis: Any, bench: Bench, plan: Plan, what: str, unit: float, title: str) -> None:
    """One bar per way."""
    results = {way: bench.results.get(plan.case(way, plan.sizes[-1]), Result(error="absent")) for way in SHORT}
    shown = {way: getattr(result, what) / unit for way, result in results.items() if not result.error}
    names, colours = zip(*(SHORT[way] for way in shown), strict=True) if shown else ((), ())
    drawn = axis.barh(names, list(shown.values()), color=colours, height=0.7)
    axis.bar_label(drawn, fmt="%.2f", padding=3, fontsize=9)
    axis.invert_yaxis()
    axis.margins(x=0.12)
    dress(axis, title, "x")


def lines(axis: Any, bench: Bench, plan: Plan, what: str, title: str, label: str) -> None:
    """Memory of ``forward`` and of double backward."""
    values = getattr(plan, f"{what}_values")
    for way, name, colour in ((BASELINE, "plain double backward", THEIRS), ("forward", "metaloss forward", OURS)):
        results = {value: bench.results.get(plan.growth_case(what, way, value)) for value in values}
        points = [(value, result.memory / 1024) for value, result in results.items() if result and not result.error]
        if points:
            axis.plot(*zip(*points, strict=True), marker="o", linewidth=2, color=colour, label=name)
    axis.set_xlabel(label)
    axis.set_xticks(values)
    axis.set_ylim(bottom=0)
    if axis.lines:
        axis.legend(frameon=False)
    dress(axis, title, "y")


def dress(axis: Any, title: str, grid: str) -> None:
    """Title, light grid, and no frame."""
    axis.set_title(title, loc="left", fontsize=11)
    axis.grid(axis=grid, color="#dddddd", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
