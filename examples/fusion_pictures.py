"""Four kinds of image fusion on procedural scenes: infrared and visible, focus, exposure, structure and function.

    python examples/fusion_pictures.py --weights WEIGHTS [--out docs/pictures]

Draws the sources, fuses them with ``metaloss fuse`` and writes one strip per task: source, source, fused.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from metaloss.colour import luma
from metaloss.data import SyntheticScenes, read_image, write_image

SIZE = (150, 200)
GAP = 4


def blurred(image: Tensor, radius: int = 4) -> Tensor:
    """A box filter, three times: near a Gaussian."""
    for _ in range(3):
        padded = F.pad(image[None], [radius] * 4, mode="replicate")
        image = F.avg_pool2d(padded, 2 * radius + 1, 1)[0]
    return image


def pairs(scenes: SyntheticScenes) -> dict[str, tuple[Tensor, Tensor]]:
    """The two sources of each task."""
    night, day = (next(s for s in map(scenes.scene, range(len(scenes))) if s.condition == c) for c in ("night", "day"))
    right = (torch.arange(SIZE[1]) > SIZE[1] / 2).expand(1, *SIZE)
    heat = blurred(day.ir, 3)
    heat = ((heat - heat.quantile(0.7)) / (heat.amax() - heat.quantile(0.7))).clamp(0, 1)
    warm = torch.cat([(3 * heat).clamp(0, 1), (3 * heat - 1).clamp(0, 1), (3 * heat - 2).clamp(0, 1)])
    return {
        "infrared_visible": (night.ir, night.vi_rgb),
        "focus": (
            torch.where(right, day.vi_rgb, blurred(day.vi_rgb)),
            torch.where(right, blurred(day.vi_rgb), day.vi_rgb),
        ),
        "exposure": ((day.vi_rgb * 0.35 - 0.05).clamp(0, 1), (day.vi_rgb * 1.7).clamp(0, 1)),
        "structure_function": (luma(day.vi_rgb), warm),
    }


def strip(images: list[Tensor]) -> Tensor:
    """Images side by side, with white between them."""
    gap = torch.ones(3, SIZE[0], GAP)
    parts = [part for image in images for part in (image.expand(3, -1, -1), gap)]
    return torch.cat(parts[:-1], dim=2)


def main() -> None:
    """Draws, fuses and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="of the fusion network, for every task")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        tasks = pairs(SyntheticScenes(16, size=SIZE, seed=3))
        for name, sources in tasks.items():
            for side, source in zip("ab", sources, strict=True):
                write_image(work / side / f"{name}.png", source)
        command = [sys.executable, "-m", "metaloss", "fuse", work / "a", work / "b", "--out", work / "fused"]
        subprocess.run([*map(str, command), "--weights", str(given.weights)], check=True)
        for name in tasks:
            images = [read_image(work / side / f"{name}.png") for side in ("a", "b", "fused")]
            write_image(given.out / f"{name}.png", strip(images))
            print(given.out / f"{name}.png")


if __name__ == "__main__":
    main()
