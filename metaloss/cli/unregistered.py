"""A warning of sources that look unregistered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer
from torch import Tensor

from metaloss.colour import luma
from metaloss.data.registration import displacement


def warn_unregistered(images: Sequence[Tensor], files: Sequence[Path]) -> None:
    """Prints a warning for each source that looks unregistered to the first.

    Args:
        images: each (3, H, W) or (1, H, W), in [0, 1].
        files: their names.
    """
    first, *others = (image if len(image) == 1 else luma(image) for image in images)
    for other, file in zip(others, files[1:], strict=True):
        found = displacement(first, other)
        if found.unregistered:
            pixels = found.shift / 100 * max(first.shape[-2:])
            typer.echo(
                f"warning: {files[0]} and {file} look unregistered: their edges match best about {pixels:.0f} pixels "
                "apart; register them first, or ghosts appear",
                err=True,
            )
