"""A source's files as the networks take them: which channels, which range, and luma and colour apart."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from torch import Tensor

from metaloss.colour import rgb_to_ycbcr
from metaloss.data.images import Channels, read_image
from metaloss.data.ranges import FULL, SourceRange
from metaloss.errors import ConfigError, nearest

_CHANNELS: tuple[Channels, ...] = get_args(Channels)


@dataclass(frozen=True)
class Reading:
    """How the files of one source are read.

    Attributes:
        channels: ``"rgb"`` or ``"alpha"``, the fourth, of files with four channels; ``None``: as they are.
        range: which of the files' numbers become 0 and 1.
    """

    channels: Channels | None = None
    range: SourceRange = FULL

    def image(self, path: Path) -> Tensor:
        """Reads a file: (1, H, W) or (3, H, W), float32 in [0, 1].

        Raises:
            DataError: the file cannot be read, or not by this range.
        """
        return read_image(path, channels=self.channels, range=self.range)

    def source(self, path: Path) -> tuple[Tensor, Tensor | None]:
        """Reads a file as a source.

        Returns:
            Luma (1, H, W), float32 in [0, 1], and CbCr (2, H, W) in [-0.5, 0.5], or ``None`` where the image is grey.

        Raises:
            DataError: the file cannot be read, or not by this range.
        """
        image = self.image(path)
        if image.shape[0] == 1:
            return image, None
        luma, chroma = rgb_to_ycbcr(image)
        return luma.clamp(0, 1), chroma


def split_channels(
    sources: Sequence[str | os.PathLike[str]], root: str | os.PathLike[str] = ""
) -> tuple[list[str], list[Channels | None]]:
    """Takes the channels off the names of sources: ``"images:alpha"`` is the fourth channel of what lies in ``images``.

    Args:
        sources: folders, patterns or files; a name that is there with its colon is taken as it is.
        root: what they are relative to.

    Returns:
        The names without ``":rgb"`` and ``":alpha"``, and these channels, or ``None``, of each.

    Raises:
        ConfigError: no names, or something else behind the colon.
    """
    given = [sources] if isinstance(sources, (str, os.PathLike)) else sources
    if not isinstance(given, Sequence) or not all(isinstance(source, (str, os.PathLike)) for source in given):
        raise ConfigError(f"sources={sources!r}: give the names of at least two folders or patterns, ('ir', 'vi') say")
    split = [_split(os.fspath(source), Path(root)) for source in given]
    return [name for name, _ in split], [channels for _, channels in split]


def _split(source: str, root: Path) -> tuple[str, Channels | None]:
    name, _, word = source.rpartition(":")
    if not name or Path(root, source).exists():
        return source, None
    for channels in _CHANNELS:
        if word == channels:
            return name, channels
    if Path(root, name).exists():
        raise ConfigError(
            f"source {source!r}: {word!r} are no channels{nearest(word, _CHANNELS)}: write '{name}:rgb', "
            f"'{name}:alpha' for the fourth channel, or {name!r}"
        )
    return source, None


def names_with_channels(names: Sequence[str], channels: Sequence[Channels | None]) -> tuple[str, ...]:
    """Names sources by their channels, and by folder and channel where that does not tell them apart.

    Args:
        names: of the folders, say.
        channels: of each, or ``None``, whose name stays.
    """
    short = [name if own is None else own for name, own in zip(names, channels, strict=True)]
    times = Counter(short)
    return tuple(
        each if own is None or times[each] == 1 else f"{name}_{own}"
        for each, name, own in zip(short, names, channels, strict=True)
    )
