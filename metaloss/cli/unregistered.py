"""A warning of sources that look unregistered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer
from torch import Tensor

from metaloss.colour import luma
from metaloss.data.registration import Displacement, displacement


def warn_unregistered(images: Sequence[Tensor], files: Sequence[Path]) -> None:
    """Prints a warning for each source that looks unregistered to the first.

    Args:
        images: each (3, H, W) or (1, H, W), in [0, 1].
        files: their names.
    """
    first, *others = (image if len(image) == 1 else luma(image) for image in images)
    warn_of([displacement(first, other) for other in others], files, max(first.shape[-2:]))


def warn_of(displacements: Sequence[Displacement], files: Sequence[Path], side: int) -> None:
    """Prints the same of displacements that are known.

    Args:
        displacements: of every further source against the first.
        files: their names, the first source's as well.
        side: the longer one of the images, in pixels.
    """
    for found, file in zip(displacements, files[1:], strict=True):
        if found.unregistered:
            pixels = found.shift / 100 * side
            typer.echo(
                f"warning: {files[0]} and {file} look unregistered: their edges match best about {pixels:.0f} pixels "
                "apart; register them first, or ghosts appear",
                err=True,
            )
