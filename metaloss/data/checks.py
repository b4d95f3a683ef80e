"""Reads files once, so that a bad one is found before the work begins and not in the middle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from torch import Tensor

from metaloss.data.annotations import Annotation
from metaloss.data.dataset import PairedDataset, size_mismatches
from metaloss.data.images import read_ids
from metaloss.data.pairing import Pair
from metaloss.data.reading import Reading
from metaloss.errors import DataError

_READERS = 4
Progress = Callable[[int, int], None]


def check_dataset(dataset: PairedDataset, progress: Progress | None = None) -> None:
    """Reads every file and checks that sizes agree and that labels hold known class ids.

    Ids are checked when the data set knows its classes.

    Args:
        dataset: what to check.
        progress: called with the number of scenes done and of all scenes, after each scene.

    Raises:
        DataError: files cannot be read, differ in size within a scene, or hold an id that is no
            class; the first one is named, with the number of further bad files.
    """
    check_pairs(
        dataset.pairs,
        progress,
        num_classes=dataset.num_classes,
        ignore=dataset.ignore,
        annotations=dataset.annotations,
        readings=dataset.readings,
    )


def check_pairs(
    pairs: Sequence[Pair],
    progress: Progress | None = None,
    *,
    num_classes: int = 0,
    ignore: int = 255,
    annotations: Sequence[Annotation] | None = None,
    readings: Sequence[Reading] | None = None,
) -> None:
    """Reads the files of every scene, as :func:`check_dataset` does for a data set.

    Args:
        pairs: what to check.
        progress: called with the number of scenes done and of all scenes, after each scene.
        num_classes: how many class ids labels may hold; 0 when unknown.
        ignore: the label id that stands for "no class".
        annotations: the boxes of each scene, where there are some.
        readings: how the files of each source are read; default: as they are, at full range.

    Raises:
        DataError: as :func:`check_dataset`.
    """
    boxes: Sequence[Annotation | None] = annotations or [None] * len(pairs)
    labelled = [False]
    scenes = list(zip(pairs, boxes, strict=True))
    problems: list[str] = []
    readers = ThreadPoolExecutor(_READERS)
    try:
        for done, found in enumerate(
            readers.map(lambda scene: _problems(scene[0], scene[1], num_classes, ignore, labelled, readings), scenes), 1
        ):
            problems += found
            if progress is not None:
                progress(done, len(pairs))
    finally:
        readers.shutdown(cancel_futures=True)
    if problems:
        others = len(problems) - 1
        more = f" ({others} more bad {'file' if others == 1 else 'files'})" if others else ""
        raise DataError(problems[0] + more)
    labels = [pair.target for pair in pairs if pair.target is not None]
    if labels and not labelled[0]:
        raise DataError(
            f"{labels[0].parent}: no pixel of its {len(labels)} label{'s' * (len(labels) > 1)} is of a class, all are "
            f"the ignored id {ignore}: give the labels, or ignore= the id that stands for no class"
        )


def _problems(
    pair: Pair,
    boxes: Annotation | None,
    num_classes: int,
    ignore: int,
    labelled: list[bool],
    readings: Sequence[Reading] | None,
) -> list[str]:
    """What is wrong with a scene, one line per bad file; ``labelled`` learns of a pixel that has a class."""
    files = [*pair.sources] if pair.target is None else [*pair.sources, pair.target]
    images: list[Tensor] = []
    problems: dict[Path, str] = {}
    for number, file in enumerate(files):
        is_label = number == len(pair.sources)
        try:
            reading = Reading() if is_label or readings is None else readings[number]
            images.append(read_ids(file) if is_label else reading.image(file))
            if is_label and num_classes:
                _check_ids(file, images[-1], num_classes, ignore)
            if is_label and not labelled[0] and bool((images[-1] != ignore).any()):
                labelled[0] = True
        except DataError as error:
            problems[file] = str(error)
    if len(images) == len(files):
        problems = size_mismatches(pair, images) | problems
    if boxes is not None and not problems:
        try:
            boxes.target((images[0].shape[-2], images[0].shape[-1]))
        except DataError as error:
            problems[boxes.file] = str(error)
    return list(problems.values())


def _check_ids(file: Path, ids: Tensor, num_classes: int, ignore: int) -> None:
    wrong = sorted(set(ids[((ids < 0) | (ids >= num_classes)) & (ids != ignore)].tolist()))
    if wrong:
        shown = ", ".join(map(str, wrong[:3])) + (" ..." if len(wrong) > 3 else "")
        raise DataError(
            f"{file}: class id {shown} is outside 0..{num_classes - 1} ({num_classes} classes) and is not the ignored "
            f"id {ignore}: correct the label, or give classes= or ignore= that hold it"
        )
