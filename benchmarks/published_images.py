"""Our networks with their authors' weights against fused images that were published of four TNO pairs.

    python -m benchmarks.published_images

``$METALOSS_DATA/metric_reference_tno`` holds the sources and the images of four methods, ``$METALOSS_DATA/peers`` the
weights. Prints, for each network and each of its conventions, the mean absolute difference in grey levels, the same
with both images stretched to their full range, and the correlation, of each image in the order of the pairs' names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.evidence.arguments import run_command
from benchmarks.evidence.peers import published_network
from benchmarks.evidence.problems import DATA
from metaloss.colour import luma
from metaloss.data.images import read_image
from metaloss.errors import DataError
from metaloss.inference.finish import stretched
from metaloss.inference.fuse import fuse_any_size
from metaloss.report.tables import markdown

METHODS: dict[str, tuple[str, tuple[dict[str, Any], ...]]] = {
    "densefuse": ("DenseFuse", ({},)),
    "ifcnn": ("IFCNN", ({}, {"normalised": False})),
    "seafusion": ("SeAFusion", ({},)),
    "u2fusion": ("U2Fusion", ({}, {"symmetric": True})),
}
"""By network: the folder of the published images, and the arguments of each convention."""


class Agreement(NamedTuple):
    """How close an image is to another.

    Attributes:
        difference: mean absolute, in grey levels of 255.
        stretched: the same, of images that both run from black to white.
        correlation: Pearson's, over the pixels.
    """

    difference: float
    stretched: float
    correlation: float


def agreement(image: Tensor, other: Tensor) -> Agreement:
    """Compares two images (1, H, W) in [0, 1], both rounded to whole grey levels."""
    one, two = ((255 * each.clamp(0, 1)).round().double().flatten() for each in (image, other))
    correlation = torch.corrcoef(torch.stack((one, two)))[0, 1]
    return Agreement(
        float((one - two).abs().mean()), 255 * float((stretched(one) - stretched(two)).abs().mean()), float(correlation)
    )


def compared(network: nn.Module, folder: Path, method: str) -> list[Agreement]:
    """A network's images of all pairs against the published ones.

    Raises:
        DataError: there are none.
    """
    files = sorted((folder / "fused" / method).glob("*.png"))
    if not files:
        raise DataError(f"{folder / 'fused' / method}: no images; METALOSS_DATA has to name the folder of the data")
    found = []
    for file in files:
        ir, vi = (_grey(folder / source / file.name).unsqueeze(0) for source in ("ir", "vi"))
        with torch.no_grad():
            found.append(agreement(fuse_any_size(network, [ir, vi])[0], _grey(file)))
    return found


def _grey(path: Path) -> Tensor:
    image = read_image(path)
    return image if len(image) == 1 else luma(image)


def table(folder: Path) -> str:
    """A row for each network and convention."""
    rows = [["network", "convention", "mean absolute difference, grey levels", "at full range", "correlation"]]
    for name, (method, conventions) in METHODS.items():
        for arguments in conventions:
            found = compared(published_network(name, **arguments), folder, method)
            said = ", ".join(f"{key}={value}" for key, value in arguments.items()) or "as built"
            kinds = zip(*found, strict=True)
            cells = [
                ", ".join(f"{value:.{digits}f}" for value in kind)
                for kind, digits in zip(kinds, (1, 1, 4), strict=True)
            ]
            rows.append([name, said, *cells])
    return markdown(rows)


def main() -> None:
    """Prints the table."""
    print(table(DATA / "metric_reference_tno"))


if __name__ == "__main__":
    run_command(main)
