"""What people look at: curves of the weights, weight maps before and after, fused images side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from benchmarks.evidence.judging import fused_image
from benchmarks.evidence.pages import History
from benchmarks.evidence.problems import Problem, Scene
from benchmarks.evidence.runs import Run
from benchmarks.evidence.training import fusion_at, generator_at, propose
from benchmarks.figure import OURS, THEIRS, dress
from metaloss.report.weight_maps import draw_weight_maps


def draw_histories(path: Path, histories: Sequence[History], problem: Problem, title: str) -> None:
    """Draws the first source's weight inside and outside the objects, epoch by epoch; thin lines are seeds."""
    names = list(problem.regions(problem.scored[0]))
    figure, axes = plt.subplots(1, len(names), figsize=(4.2 * len(names), 3.3), squeeze=False, layout="constrained")
    source = problem.sources[0]
    for axis, name in zip(axes[0], names, strict=True):
        for where, colour in (("on", OURS), ("off", THEIRS)):
            lines = [[epoch[f"{source} {where} {name}"] for epoch in history] for history in histories]
            epochs = [epoch["epoch"] for epoch in histories[0]]
            for line in lines:
                axis.plot(epochs, line, color=colour, linewidth=0.7, alpha=0.5)
            mean = [sum(column) / len(column) for column in zip(*lines, strict=True)]
            axis.plot(epochs, mean, color=colour, linewidth=2.2, label=f"{where} {name}")
        axis.set_xlabel("epoch")
        axis.set_ylim(0, 1)
        axis.legend(frameon=False)
        dress(axis, f"weight of {source}: {name}", "y")
    figure.suptitle(title, fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_maps(path: Path, run: Run, problem: Problem) -> None:
    """Draws the weights over the first test scene before and after training."""
    shown = problem.scored[0]
    epochs = {"before": 0, "after": run.settings.epochs}
    maps = {title: propose(generator_at(run.settings, run.checkpoint(epoch)), shown) for title, epoch in epochs.items()}
    draw_weight_maps(path, shown["sources"], maps, problem.sources)


def draw_fused(path: Path, uniform: Run, learned: Run, problem: Problem) -> None:
    """Draws three scenes with many kinds of objects: sources, both fused images, the first source's learned weight."""

    def kinds(scene: Scene) -> int:
        return sum(bool(mask.any()) for mask in problem.regions(scene).values())

    scenes = sorted(problem.scored, key=kinds, reverse=True)[:3]
    titles = [*problem.sources, "fused, uniform", "fused, learned", f"weight of {problem.sources[0]}"]
    images = [fused_image(fusion_at(run.settings, run.checkpoint(run.settings.epochs))) for run in (uniform, learned)]
    generator = generator_at(learned.settings, learned.checkpoint(learned.settings.epochs))
    height, width = scenes[0]["sources"][0].shape[-2:]
    size = (2.4 * len(titles), 2.4 * len(scenes) * height / width + 0.3)
    figure, axes = plt.subplots(len(scenes), len(titles), figsize=size, squeeze=False, layout="constrained")
    for row, scene in zip(axes, scenes, strict=True):
        grey = [*scene["sources"], *(image(scene) for image in images)]
        for axis, image in zip(row, grey, strict=False):
            axis.imshow(image[0].numpy(), cmap="gray", vmin=0, vmax=1)
        drawn = row[-1].imshow(propose(generator, scene)[0].numpy(), cmap="turbo", vmin=0, vmax=1)
        for axis in row:
            axis.set_axis_off()
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=10)
    figure.colorbar(drawn, ax=axes[:, -1].tolist(), shrink=0.8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
