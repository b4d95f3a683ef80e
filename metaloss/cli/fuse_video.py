"""Fuses videos, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import typer

from metaloss.cli.unregistered import warn_unregistered
from metaloss.data.video import VideoReader, VideoWriter
from metaloss.errors import ConfigError, DataError
from metaloss.inference.finish import Colour
from metaloss.inference.fuser import Fuser
from metaloss.runtime.progress_bar import progress_bar


def place(sources: Sequence[Path], out: Path) -> Path:
    """Where the fused video goes.

    Raises:
        ConfigError: it would be written over a source.
    """
    path = out / f"{sources[0].stem}.mkv"
    if path.resolve() in {source.resolve() for source in sources}:
        raise ConfigError(f"--out {out}: {path.name} in it is a source; give another folder")
    return path


def open_videos(sources: Sequence[Path], stack: ExitStack) -> list[VideoReader]:
    """Opens videos that belong together.

    Args:
        sources: the files.
        stack: closes them.

    Raises:
        DataError: one cannot be read, or they differ in size or in frames per second.
    """
    readers = [stack.enter_context(VideoReader(source)) for source in sources]
    first = readers[0]
    for reader in readers[1:]:
        for what, own, other in (
            ("pixels (width x height)", _size(reader), _size(first)),
            ("frames per second", f"{float(reader.rate):.3f}", f"{float(first.rate):.3f}"),
        ):
            if own != other:
                raise DataError(f"{reader.path}: {own} {what}, and {first.path} has {other}: videos of one scene agree")
    return readers


def fuse_videos(fuser: Fuser, readers: Sequence[VideoReader], path: Path) -> int:
    """Fuses videos of one scene, frame by frame, into a lossless one.

    Args:
        fuser: the network and its options.
        readers: the videos.
        path: the file to write.

    Returns:
        How many frames there are in it: as many as in the shortest source.

    Raises:
        DataError: a frame cannot be read, the file cannot be written, or there are no frames.
    """
    first, frames = readers[0], 0
    asked = readers if fuser.colour_from is None else readers[fuser.colour_from :][:1]
    colour = fuser.colour is Colour.auto and any(reader.colour for reader in asked)
    counts = [reader.count for reader in readers]
    with (
        VideoWriter(
            path,
            size=first.size,
            rate=first.rate,
            colour=colour,
            bits=max(reader.bits for reader in readers),
            metadata={key: value for key, value in first.metadata.items() if key.lower() != "encoder"},
        ) as writer,
        progress_bar("fusing", min(counts)) as advance,
    ):
        streams = [iter(reader) for reader in readers]
        while True:
            images = [next(stream, None) for stream in streams]
            there = [image for image in images if image is not None]
            if len(there) < len(images):
                break
            if not frames:
                warn_unregistered(there, [reader.path for reader in readers])
            [fused] = fuser.fuse([there])
            writer.write(fused.expand(3, -1, -1) if colour else fused)
            frames += 1
            advance(f"frame {frames}")
        if not frames:
            ended = next(reader.path for reader, image in zip(readers, images, strict=True) if image is None)
            raise DataError(f"{ended}: holds no frame")
        if there:
            ended = next(reader.path for reader, image in zip(readers, images, strict=True) if image is None)
            typer.echo(f"warning: {ended} ends after {frames} frames, before the other; the rest is left out", err=True)
    return frames


def _size(reader: VideoReader) -> str:
    return f"{reader.size[1]}x{reader.size[0]}"
