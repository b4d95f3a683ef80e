"""Fused images and their sources from files: paired by name, read as a convention measures them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from metaloss.colour import luma
from metaloss.data.dataset import of_one_size, size_mismatches
from metaloss.data.listing import is_pattern
from metaloss.data.pairing import Pair
from metaloss.data.reading import Reading
from metaloss.data.scene_files import files_by_scene, images_by_stem
from metaloss.errors import DataError
from metaloss.metrics.conventions import Colour

_SHOWN = 5


@dataclass(frozen=True)
class FusedFile:
    """One fused image and its sources.

    Attributes:
        name: of the scene.
        files: the fused image, then its sources.
        size_of: the number of the source to whose size the others are resized, where they are registered at several;
            ``None`` where all have one size.
    """

    name: str
    files: tuple[Path, ...]
    size_of: int | None = None

    @property
    def sources(self) -> Pair:
        """The sources alone."""
        return Pair(self.name, self.files[1:], size_of=self.size_of)

    def read(self, readings: Sequence[Reading], colour: Colour) -> tuple[Tensor, list[Tensor]]:
        """Reads the images.

        Args:
            readings: how each file is read, the fused image's first.
            colour: what the convention does with it: images in colour come as their luma, or as they are.

        Returns:
            The fused image and its sources, each (1, C, H, W) in whole grey levels, 0-255; C is 1, or 3 by bands.

        Raises:
            DataError: a file cannot be read, or the images differ in size.
        """
        fused, *sources = (_read(*each, colour) for each in zip(self.files, readings, strict=True))
        for message in size_mismatches(self.sources, sources).values():
            raise DataError(message)
        sources = of_one_size(self.sources, sources)
        size, other = ((image.shape[-1], image.shape[-2]) for image in (fused, sources[0]))
        if size != other:
            measured = self.files[1 + (self.size_of or 0)]
            raise DataError(f"{self.files[0]} is {size[0]}x{size[1]} pixels and {measured} {other[0]}x{other[1]}")
        return _grey_levels(fused), list(map(_grey_levels, sources))


def pair_fused(fused: Path, sources: Sequence[Path]) -> tuple[list[FusedFile], list[str]]:
    """Pairs fused images with their sources by stem.

    Args:
        fused: a folder or a pattern.
        sources: n of them.

    Returns:
        What has all of its partners, in the order of names, and what is wrong with the rest, one sentence each.

    Raises:
        DataError: no such folder, no images in it, or two of one stem.
    """
    for place, what in ((fused, "fused images"), *((source, "source") for source in sources)):
        if not place.is_dir() and not is_pattern(place):
            raise DataError(f"{what} {place}: no such folder")
    listed, files = files_by_scene(sources), images_by_stem(fused)
    paired, bad = [], []
    for stem, file in sorted(files.items()):
        partners = [images.get(stem) for images in listed]
        lacking = [str(source) for source, partner in zip(sources, partners, strict=True) if partner is None]
        if lacking:
            bad.append(f"{file}: no image of that name in {', '.join(lacking)}")
        else:
            paired.append(FusedFile(stem, (file, *(path for path in partners if path))))
    unfused = sorted(set(listed[0]) - set(files))
    return paired, bad + [f"{listed[0][stem]}: not among the fused images in {fused}" for stem in unfused]


def all_paired(fused: str | os.PathLike[str], sources: Sequence[str | os.PathLike[str]]) -> list[FusedFile]:
    """Pairs fused images with their sources, none of which may be missing.

    Args:
        fused: a folder, a pattern, or one file.
        sources: n folders or patterns, or n files for one.

    Returns:
        At least one, in the order of names.

    Raises:
        DataError: an image without its partners, no images, or two of one stem.
    """
    place, others = Path(fused), [Path(source) for source in sources]
    if place.is_file():
        for other in others:
            if not other.is_file():
                raise DataError(f"source {other}: no such file; fused is one, {place}")
        return [FusedFile(place.stem, (place, *others))]
    paired, bad = pair_fused(place, others)
    if bad:
        more = f"; and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        raise DataError(f"{'; '.join(bad[:_SHOWN])}{more}")
    return paired


def _read(path: Path, reading: Reading, colour: Colour) -> Tensor:
    image = reading.image(path)
    return luma(image) if colour == "luma" and len(image) == 3 else image


def _grey_levels(image: Tensor) -> Tensor:
    return (image * 255).round().unsqueeze(0)
