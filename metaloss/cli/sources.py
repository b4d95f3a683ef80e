"""The sources that a command is given: folders, patterns or files, their channels, and the range of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer
from torch import nn

from metaloss.cli.options import ranges_given
from metaloss.data import Pair, check_pairs, pair_folders
from metaloss.data.dataset import ONE_SIZE
from metaloss.data.distinct import numbered, place_names
from metaloss.data.images import Channels
from metaloss.data.listing import is_pattern, what_is_missing
from metaloss.data.narrow import narrow_sources
from metaloss.data.ranges import FULL, SourceRange, ranges_of
from metaloss.data.reading import Reading, names_with_channels, split_channels
from metaloss.errors import CheckpointError, ConfigError, DataError, nearest
from metaloss.plugins.trained_range import trained_range
from metaloss.runtime.progress_bar import progress_bar


@dataclass(frozen=True)
class Sources:
    """What a command is given as sources.

    Attributes:
        paths: folders, patterns or files.
        channels: of each, or ``None``.
        names: of each, all different.
    """

    paths: list[Path]
    channels: list[Channels | None]
    names: tuple[str, ...]

    @classmethod
    def of(cls, given: Sequence[Path]) -> Sources:
        """Reads what stands on the command line: ``images:alpha`` is the fourth channel of what lies in ``images``."""
        texts, channels = split_channels(given)
        paths = [Path(text) for text in texts]
        files = any(path.is_file() for path in paths)
        names = [path.stem for path in paths] if files else place_names(paths)
        return cls(paths, channels, numbered(names_with_channels(names, channels)))

    @classmethod
    def to_fuse(cls, given: Sequence[Path]) -> Sources:
        """The same for a command that fuses them.

        Raises:
            ConfigError: fewer than two sources.
            DataError: there is no such file or folder.
        """
        if len(given) < 2:
            raise ConfigError(f"{len(given)} source given ({given[0]}): fusion needs at least two")
        sources = cls.of(given)
        sources.check_there()
        return sources

    def check_there(self) -> None:
        """Checks that each is a file, a folder or a pattern.

        Raises:
            DataError: there is no such file or folder.
        """
        for source in self.paths:
            if not source.exists() and not is_pattern(source):
                raise DataError(f"source {source}: {what_is_missing(source, 'file or folder')}")

    def number_of(self, option: str, source: str) -> int:
        """The place of the source that an option names, by name or position.

        Raises:
            ConfigError: there is no such source.
        """
        places = {str(number): number for number in range(len(self.names))}
        places |= {name: number for number, name in enumerate(self.names)}
        if source not in places:
            raise ConfigError(
                f"{option} {source}: no such source{nearest(source, self.names)}; they are {', '.join(self.names)}, or "
                f"0 to {len(self.names) - 1}"
            )
        return places[source]

    def pairs(self, size_of: str | None) -> list[Pair]:
        """Pairs the files; with ``--size-of`` all take the size of the source that it names.

        Raises:
            ConfigError: there is no such source.
            DataError: they cannot be paired.
        """
        number = None if size_of is None else self.number_of("--size-of", size_of)
        return [replace(pair, size_of=number) for pair in pair_folders(self.paths)]

    def check(self, pairs: Sequence[Pair], readings: Sequence[Reading]) -> None:
        """Reads all files, and warns of sources that use only a few per cent of their range.

        Raises:
            DataError: one cannot be read, or the images of a scene differ in size.
        """
        with progress_bar("checking", len(pairs)) as advance:
            try:
                check_pairs(pairs, lambda done, total: advance(""), readings=readings)
            except DataError as error:
                raise DataError(self.with_size_cure(str(error))) from None
        warn_narrow(pairs, readings)

    def with_size_cure(self, message: str) -> str:
        """Adds what helps to a message about images of several sizes; others are given back as they are."""
        if ONE_SIZE not in message:
            return message
        return (
            f"{message}; where they are registered, --size-of {self.names[0]} gives all of them the size of one source"
        )

    def ranges(self, texts: Sequence[str]) -> tuple[SourceRange, ...] | None:
        """Reads ``--range``, ``None`` where it is not given.

        Raises:
            ConfigError: it cannot be read.
        """
        if not texts:
            return None
        try:
            return ranges_of(ranges_given(texts), self.names)
        except ConfigError as error:
            raise ConfigError(f"--range {' --range '.join(texts)}: {error}") from None

    def readings(self, ranges: Sequence[SourceRange]) -> tuple[Reading, ...]:
        """How the files of each source are read."""
        return tuple(Reading(*each) for each in zip(self.channels, ranges, strict=True))

    def chosen(self, given: Sequence[SourceRange] | None, networks: Mapping[str, nn.Module]) -> tuple[Reading, ...]:
        """How the files are read for networks: by the ranges that are given, else by those of their training.

        Says so, where these are not the full ones.

        Raises:
            CheckpointError: the networks were trained with different ranges.
        """
        if given is not None:
            return self.readings(given)
        ranges = ranges_of_training(networks, self.names)
        if any(own != FULL for own in ranges):
            shown = " ".join(f"{name}={own}" for name, own in zip(self.names, ranges, strict=True))
            typer.echo(f"range: {shown}, as {next(iter(networks))} was trained with; --range takes another")
        return self.readings(ranges)


def ranges_of_training(networks: Mapping[str, nn.Module], names: Sequence[str]) -> tuple[SourceRange, ...]:
    """The ranges with which the sources of all networks' training were read, which are to be the same.

    Args:
        networks: by the file that each comes from.
        names: of the sources that they are given.

    Raises:
        CheckpointError: they differ, or are not known source by source.
    """
    found: dict[tuple[SourceRange, ...], str] = {}
    for path, network in networks.items():
        try:
            found.setdefault(trained_range(network, names), path)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from None
    if len(found) > 1:
        told = "; ".join(f"{path}: {' '.join(map(str, ranges))}" for ranges, path in found.items())
        raise CheckpointError(f"trained on sources of different ranges ({told}): give --range")
    return next(iter(found))


def warn_narrow(pairs: Sequence[Pair], readings: Sequence[Reading]) -> None:
    """Prints a warning for each source that uses only a few per cent of its range."""
    for narrow in narrow_sources(pairs, readings):
        cure = "--range data takes each image's own minimum and maximum, --range {low},{high} the same for all"
        typer.echo(f"warning: {narrow.say(cure)}", err=True)
