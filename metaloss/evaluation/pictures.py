"""Pictures of sources, fused image and weight maps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metaloss.colour import ycbcr_to_rgb
from metaloss.data import write_image
from metaloss.runtime.files import written_whole


@dataclass(frozen=True)
class Scene:
    """What there is to show of one scene.

    Attributes:
        name: its name.
        sources: n images (1, H, W), in [0, 1].
        fused: (1, H, W).
        weights: (n, H, W).
        chroma: (2, H, W) or ``None``.
    """

    name: str
    sources: tuple[Tensor, ...]
    fused: Tensor
    weights: Tensor
    chroma: Tensor | None

    def coloured(self) -> Tensor:
        """The fused image with its colour: (3, H, W), or (1, H, W) when the scene is grey."""
        image = self.fused if self.chroma is None else ycbcr_to_rgb(self.fused, self.chroma)
        return image.clamp(0, 1)


def heat_map(weights: Tensor) -> Tensor:
    """Colours a weight map.

    Args:
        weights: of shape (H, W), in [0, 1].

    Returns:
        RGB (3, H, W) in [0, 1]: dark blue at 0, yellow at 1.
    """
    import matplotlib

    colours = matplotlib.colormaps["viridis"](weights.cpu().numpy())[..., :3]
    return torch.from_numpy(np.ascontiguousarray(colours.transpose(2, 0, 1))).float()


def strip(scene: Scene) -> np.ndarray[Any, Any]:
    """Sources, fused image and weight maps side by side, uint8 (H, W', 3)."""
    parts = [*scene.sources, scene.coloured(), *(heat_map(weights) for weights in scene.weights)]
    row = torch.cat([part.cpu().expand(3, -1, -1) for part in parts], dim=-1)
    return (row.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()


def write_pictures(folder: Path, scenes: Sequence[Scene], source_names: Sequence[str]) -> None:
    """Writes ``fused/NAME.png``, ``weights/NAME_SOURCE.png`` and one ``overview.png``.

    Args:
        folder: where to; a scene's name that holds a path leads to no other folder.
        scenes: what to show.
        source_names: one per source, for file names and titles.
    """
    names = [file_name(scene.name) for scene in scenes]
    places = [
        file_name(f"{number}_{name}" if source_names.count(name) > 1 else name)
        for number, name in enumerate(source_names)
    ]
    for scene, scene_name in zip(scenes, names, strict=True):
        write_image(folder / "fused" / f"{scene_name}.png", scene.coloured().cpu())
        for place, weights in zip(places, scene.weights, strict=True):
            write_image(folder / "weights" / f"{scene_name}_{place}.png", heat_map(weights))
    _overview(folder / "overview.png", scenes, source_names)


def file_name(name: str) -> str:
    """Makes one file's name of a scene's, which may hold a path."""
    return re.sub(r"[/\\\0]", "_", name)


def _overview(path: Path, scenes: Sequence[Scene], source_names: Sequence[str]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = 2 * len(source_names) + 1
    height, width = scenes[0].fused.shape[-2:]
    figure = Figure(figsize=(2.4 * columns + 0.6, 2.4 * len(scenes) * height / width + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(scenes), columns, squeeze=False)
    titles = [*source_names, "fused", *(f"weight of {name}" for name in source_names)]
    drawn = None
    for row, scene in zip(axes, scenes, strict=True):
        images = [*scene.sources, scene.coloured()]
        for axis, image in zip(row, images, strict=False):
            pixels = image.cpu().clamp(0, 1).permute(1, 2, 0).expand(-1, -1, 3).numpy()
            axis.imshow(pixels, vmin=0, vmax=1)
        for axis, weights in zip(row[len(images) :], scene.weights, strict=True):
            drawn = axis.imshow(weights.cpu().numpy(), vmin=0, vmax=1, cmap="viridis")
        for axis in row:
            axis.set_axis_off()
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=10, parse_math=False)
    if drawn is not None:
        figure.colorbar(drawn, ax=axes[:, -1].tolist(), shrink=0.8)
    with written_whole(path) as file:
        figure.savefig(file, dpi=110, format="png")
