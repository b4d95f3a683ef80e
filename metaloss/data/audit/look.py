"""What is taken down of each scene in one reading of its files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from metaloss.colour import luma
from metaloss.data.audit.twins import picture_bits
from metaloss.data.checks import check_scene
from metaloss.data.dataset import PairedDataset, of_one_size
from metaloss.data.label_checks import LabelFacts
from metaloss.data.parallel import in_parallel
from metaloss.data.registration import displacement

REGISTERED = 40  # scenes of a data set whose registration is looked at; each takes some tenths of a second

Progress = Callable[[], None]


@dataclass(frozen=True)
class Look:
    """What is seen of a scene.

    Attributes:
        problems: what is wrong, by file.
        facts: what its label holds.
        sizes: (W, H) of each source that can be read.
        bits: of its sources' difference hashes, or ``None`` where one cannot be read.
        flat: those of its sources of which all pixels are alike.
        apart: how many pixels apart the edges of the first and another source match best, by that one's file, where
            they look unregistered.
    """

    problems: dict[Path, str]
    facts: LabelFacts | None
    sizes: tuple[tuple[int, int], ...]
    bits: bytes | None
    flat: tuple[Path, ...]
    apart: dict[Path, float]


def look_at_all(dataset: PairedDataset, progress: Progress, task_size: tuple[int, int] | None = None) -> list[Look]:
    """Looks at every scene of a data set, on all cores.

    Args:
        dataset: the scenes.
        progress: called after each.
        task_size: (H, W) that a training resizes them to for the task, or ``None``.
    """
    count = len(dataset.pairs)
    several = max(1, -(-count // REGISTERED))

    def look(number: int) -> Look:
        return _look(dataset, number, task_size, registration=number % several == 0)

    seen = []
    for each in in_parallel(look, count):
        seen.append(each)
        progress()
    return seen


def registration_looked_at(count: int) -> int:
    """Of how many of a number of scenes the registration is looked at."""
    several = max(1, -(-count // REGISTERED))
    return -(-count // several)


def _look(dataset: PairedDataset, number: int, task_size: tuple[int, int] | None, *, registration: bool) -> Look:
    pair = dataset.pairs[number]
    boxes = None if dataset.annotations is None else dataset.annotations[number]
    found, images = check_scene(pair, boxes, dataset.choice, dataset.readings, task_size)
    files = [*pair.sources] if pair.target is None else [*pair.sources, pair.target]
    complete = len(images) == len(files) or not any(file in found.problems for file in pair.sources)
    sources = [_grey(image) for image in images[: len(pair.sources)]] if complete else []
    sizes = tuple((int(image.shape[-1]), int(image.shape[-2])) for image in sources)
    alike = of_one_size(pair, sources) if sources else []
    aligned = len({image.shape for image in alike}) == 1
    bits = torch.cat([picture_bits(source) for source in sources]) if sources else None
    return Look(
        found.problems,
        found.facts,
        sizes,
        None if bits is None else bits.numpy().tobytes(),
        tuple(file for file, source in zip(pair.sources, sources, strict=False) if source.min() == source.max()),
        _apart(alike, pair.sources) if registration and aligned else {},
    )


def _grey(image: Tensor) -> Tensor:
    return image if image.shape[0] == 1 else luma(image)


def _apart(sources: Sequence[Tensor], files: Sequence[Path]) -> dict[Path, float]:
    first, apart = sources[0], {}
    for source, file in zip(sources[1:], files[1:], strict=True):
        found = displacement(first, source)
        if found.unregistered:
            apart[file] = found.shift / 100 * max(first.shape[-2:])
    return apart
