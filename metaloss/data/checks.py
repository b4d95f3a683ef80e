"""Reads files once, so that a bad one is found before the work begins and not in the middle."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from torch import Tensor

from metaloss.data.annotations import Annotation
from metaloss.data.class_choice import ClassChoice
from metaloss.data.dataset import PairedDataset, size_mismatches
from metaloss.data.images import read_ids
from metaloss.data.label_checks import LabelFacts, facts_of_boxes, facts_of_mask, judge
from metaloss.data.pairing import Pair
from metaloss.data.reading import Reading
from metaloss.errors import DataError

_READERS = 4
Progress = Callable[[int, int], None]


def check_dataset(dataset: PairedDataset, progress: Progress | None = None) -> None:
    """Reads every file and checks that sizes agree and that labels hold known classes, and boxes that do not vanish.

    What is to be doubted in the labels is said in warnings: masks that are ignored or of black and white, ids that are
    left out, boxes that vanish, classes that never occur; each with numbers and the first file.

    Args:
        dataset: what to check.
        progress: called with the number of scenes done and of all scenes, after each scene.

    Raises:
        DataError: files cannot be read, differ in size within a scene, or hold an id that is no class, or most boxes of
            one vanish; the first one is named, with the number of further bad files.
    """
    check_pairs(
        dataset.pairs,
        progress,
        choice=dataset.choice,
        annotations=dataset.annotations,
        readings=dataset.readings,
    )


def check_pairs(
    pairs: Sequence[Pair],
    progress: Progress | None = None,
    *,
    choice: ClassChoice | None = None,
    annotations: Sequence[Annotation] | None = None,
    readings: Sequence[Reading] | None = None,
) -> None:
    """Reads the files of every scene, as :func:`check_dataset` does for a data set.

    Args:
        pairs: what to check.
        progress: called with the number of scenes done and of all scenes, after each scene.
        choice: what the ids in label images are; default: any id is a class, and 255 none.
        annotations: the boxes of each scene, where there are some.
        readings: how the files of each source are read; default: as they are, at full range.

    Raises:
        DataError: as :func:`check_dataset`.
    """
    boxes: Sequence[Annotation | None] = annotations or [None] * len(pairs)
    scenes = list(zip(pairs, boxes, strict=True))
    choice = choice or ClassChoice()
    problems: list[str] = []
    facts: list[LabelFacts] = []
    readers = ThreadPoolExecutor(_READERS)
    try:
        read = readers.map(lambda scene: _read(scene[0], scene[1], choice, readings), scenes)
        for done, (found, label) in enumerate(read, 1):
            problems += found
            facts += label
            if progress is not None:
                progress(done, len(pairs))
    finally:
        readers.shutdown(cancel_futures=True)
    if problems:
        others = len(problems) - 1
        more = f" ({others} more bad {'file' if others == 1 else 'files'})" if others else ""
        raise DataError(problems[0] + more)
    for doubt in judge(facts, choice):
        warnings.warn(doubt, stacklevel=3)


def _read(
    pair: Pair, boxes: Annotation | None, choice: ClassChoice, readings: Sequence[Reading] | None
) -> tuple[list[str], list[LabelFacts]]:
    """What is wrong with a scene, one line per bad file; and what its label holds, where there is one."""
    files = [*pair.sources] if pair.target is None else [*pair.sources, pair.target]
    images: list[Tensor] = []
    problems: dict[Path, str] = {}
    facts: list[LabelFacts] = []
    for number, file in enumerate(files):
        is_label = number == len(pair.sources)
        try:
            reading = Reading() if is_label or readings is None else readings[number]
            images.append(read_ids(file) if is_label else reading.image(file))
            if is_label:
                facts.append(facts_of_mask(file, images[-1], choice))
        except DataError as error:
            problems[file] = str(error)
    if len(images) == len(files):
        problems = size_mismatches(pair, images) | problems
    if boxes is not None and not problems:
        try:
            facts.append(facts_of_boxes(boxes, (images[0].shape[-2], images[0].shape[-1])))
        except DataError as error:
            problems[boxes.file] = str(error)
    return list(problems.values()), facts
