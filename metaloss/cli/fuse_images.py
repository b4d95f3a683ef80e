"""Fuses image files, pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from metaloss.cli.unregistered import warn_of
from metaloss.data import Pair
from metaloss.data.reading import Reading
from metaloss.errors import ConfigError
from metaloss.inference.files import fuse_files
from metaloss.inference.fuser import Fuser
from metaloss.runtime.progress_bar import progress_bar


def check_places(pairs: Sequence[Pair], out: Path) -> None:
    """Checks that no source would be written over.

    Raises:
        ConfigError: one would be.
    """
    sources = {path.resolve() for pair in pairs for path in pair.sources}
    for pair in pairs:
        if place(pair, out).resolve() in sources:
            raise ConfigError(f"--out {out}: {place(pair, out).name} in it is a source; give another folder")


def place(pair: Pair, out: Path) -> Path:
    """Where the fused image of a pair goes."""
    return out / f"{pair.name}.png"


def fuse_images(fuser: Fuser, pairs: Sequence[Pair], readings: Sequence[Reading], out: Path) -> None:
    """Fuses pairs and writes PNG files with the sources' names, metadata and depth.

    Args:
        fuser: the network and its options.
        pairs: the files.
        readings: how those of each source are read.
        out: the folder.

    Raises:
        DataError: a file cannot be read or written.
    """
    written = fuse_files(fuser, pairs, readings, partial(place, out=out))
    with progress_bar("fusing", len(pairs)) as advance, closing(written):
        for scene in written:
            warn_of(scene.displacements, scene.pair.sources, max(scene.size))
            advance(scene.pair.name)
