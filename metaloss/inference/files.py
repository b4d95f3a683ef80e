"""Fuses image files, reading the next ones and writing the last ones while the network runs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor

from metaloss.colour import luma
from metaloss.data.dataset import of_one_size
from metaloss.data.images import pixels_of, read_metadata, write_image
from metaloss.data.metadata import Metadata, merged
from metaloss.data.pairing import Pair
from metaloss.data.reading import Reading
from metaloss.data.registration import Displacement, displacement
from metaloss.inference.fuser import Fuser
from metaloss.runtime.ahead import mapped_ahead

_READERS, _WRITERS = 2, 2
_ROOM = 2**23  # pixels, of all sources, that are read ahead; and of fused images that are being written
# pixels of the images that the network is given together: on a CPU what stays in its cache
_TOGETHER = {"cpu": 2**14}
_TOGETHER_ELSEWHERE = 2**21


@dataclass(frozen=True)
class Opened:
    """The files of one scene, read.

    Attributes:
        pair: the files.
        images: of the sources, each (3, H, W) or (1, H, W), in [0, 1].
        metadata: of all sources.
        displacements: of every further source against the first.
    """

    pair: Pair
    images: list[Tensor]
    metadata: Metadata
    displacements: list[Displacement]

    @classmethod
    def of(cls, pair: Pair, readings: Sequence[Reading]) -> Opened:
        """Reads the files of a scene.

        Raises:
            DataError: one cannot be read.
        """
        images = of_one_size(pair, list(map(Reading.image, readings, pair.sources)))
        metadata = merged([read_metadata(path) for path in pair.sources])
        first, *others = (image if len(image) == 1 else luma(image) for image in images)
        return cls(pair, images, metadata, [displacement(first, other) for other in others])

    @property
    def size(self) -> tuple[int, ...]:
        """Height and width."""
        return tuple(self.images[0].shape[-2:])


def fuse_files(
    fuser: Fuser, pairs: Sequence[Pair], readings: Sequence[Reading], place: Callable[[Pair], Path]
) -> Generator[Opened, None, None]:
    """Fuses pairs and writes each under its place, with the sources' metadata and depth.

    Small images of one size that follow each other go through the network together, if it is not compiled. However
    many pairs there are, the same few are held in memory.

    Args:
        fuser: the network and its options.
        pairs: the files.
        readings: how those of each source are read.
        place: of a pair's fused image.

    Yields:
        Each scene in order, when its image is written.

    Raises:
        DataError: a file cannot be read or written.
    """

    def fused(scenes: Iterable[Opened]) -> Iterator[tuple[Opened, Tensor]]:
        for group in _together(scenes, fuser):
            yield from zip(group, fuser.fuse([scene.images for scene in group]), strict=True)

    def write(done: tuple[Opened, Tensor]) -> Opened:
        scene, image = done
        write_image(place(scene.pair), image, scene.metadata.bits, metadata=scene.metadata)
        return scene

    opened = mapped_ahead(partial(Opened.of, readings=readings), pairs, workers=_READERS, weight=_pixels, room=_ROOM)
    written = mapped_ahead(write, fused(opened), workers=_WRITERS, weight=lambda done: done[1].numel(), room=_ROOM)
    with closing(opened), closing(written):  # at once where a signal ends it: threads would read all the rest
        yield from written


def _pixels(pair: Pair) -> int:
    return sum(map(pixels_of, pair.sources))


def _together(scenes: Iterable[Opened], fuser: Fuser) -> Iterator[list[Opened]]:
    """Groups of scenes of one size that follow each other, as many as may go through the network together."""
    room = 0 if fuser.compile else _TOGETHER.get(fuser.device.type, _TOGETHER_ELSEWHERE)
    group: list[Opened] = []
    failed: Exception | None = None
    try:
        for scene in scenes:
            if group and group[0].size != scene.size:
                yield group
                group = []
            group.append(scene)
            if len(group) >= max(1, room // max(1, scene.images[0][0].numel())):
                yield group
                group = []
    except Exception as error:  # a file that cannot be read: those before it are fused
        failed = error
    if group:
        yield group
    if failed is not None:
        raise failed
