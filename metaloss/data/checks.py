"""Reads files once, so that a bad one is found before the work begins and not in the middle."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from metaloss.data.annotations import Annotation
from metaloss.data.class_choice import ClassChoice
from metaloss.data.dataset import PairedDataset, size_mismatches
from metaloss.data.images import read_ids
from metaloss.data.label_checks import LabelFacts, facts_of_boxes, facts_of_mask, judge
from metaloss.data.pairing import Pair
from metaloss.data.parallel import in_parallel
from metaloss.data.reading import Reading
from metaloss.data.remembered import Remembered
from metaloss.errors import DataError

Progress = Callable[[int, int], None]
Size = tuple[int, int]


def check_dataset(dataset: PairedDataset, progress: Progress | None = None, *, task_size: Size | None = None) -> None:
    """Reads every file and checks that sizes agree and that labels hold known classes, and boxes that do not vanish.

    What is to be doubted in the labels is said in warnings: masks that are ignored or of black and white, ids that are
    left out, boxes that vanish, or do at the task's size, classes that never occur; each with numbers and the first
    file.

    All cores share the work. Scenes that were found good are remembered in the user's cache folder, and read again only
    when the size or the time stamp of a file is another.

    Args:
        dataset: what to check.
        progress: called with the number of scenes done and of all scenes, after each scene.
        task_size: (H, W) that the scenes are resized to for the task, or ``None``.

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
        remember=True,
        task_size=task_size,
    )


class Finding(NamedTuple):
    """What is found of a scene.

    Attributes:
        problems: what is wrong, one line per bad file.
        facts: what its label holds, where it has one.
    """

    problems: dict[Path, str]
    facts: LabelFacts | None


def check_pairs(
    pairs: Sequence[Pair],
    progress: Progress | None = None,
    *,
    choice: ClassChoice | None = None,
    annotations: Sequence[Annotation] | None = None,
    readings: Sequence[Reading] | None = None,
    remember: bool = False,
    task_size: Size | None = None,
) -> None:
    """Reads the files of every scene, as :func:`check_dataset` does for a data set.

    Args:
        pairs: what to check.
        progress: called with the number of scenes done and of all scenes, after each scene.
        choice: what the ids in label images are; default: any id is a class, and 255 none.
        annotations: the boxes of each scene, where there are some.
        readings: how the files of each source are read; default: as they are, at full range.
        remember: pass over scenes that an earlier check remembers as good.
        task_size: (H, W) that the scenes are resized to for the task, or ``None``.

    Raises:
        DataError: as :func:`check_dataset`.
    """
    boxes: Sequence[Annotation | None] = annotations or [None] * len(pairs)
    choice = choice or ClassChoice()
    asked: dict[str, Any] = {"choice": choice, "readings": readings, "task_size": annotations and task_size}
    asked["size_of"] = sorted({str(pair.size_of) for pair in pairs})
    memory = Remembered(pairs, boxes, asked) if remember else None
    facts = {} if memory is None else _recalled(memory, len(pairs))
    fresh = [number for number in range(len(pairs)) if number not in facts]
    problems: list[str] = []
    done = 0
    for done in range(1, len(pairs) - len(fresh) + 1):
        if progress is not None:
            progress(done, len(pairs))

    def look(each: int) -> Finding:
        return check_scene(pairs[fresh[each]], boxes[fresh[each]], choice, readings, task_size)[0]

    try:
        for number, finding in zip(fresh, in_parallel(look, len(fresh)), strict=True):
            problems += finding.problems.values()
            facts[number] = finding.facts
            if memory is not None and not finding.problems:
                memory.add(number, {} if finding.facts is None else finding.facts.as_plain())
            done += 1
            if progress is not None:
                progress(done, len(pairs))
    finally:
        if memory is not None:
            memory.save()
    if problems:
        others = len(problems) - 1
        more = f" ({others} more bad {'file' if others == 1 else 'files'})" if others else ""
        raise DataError(problems[0] + more)
    labels = [facts[number] for number in range(len(pairs))]
    for doubt in judge([each for each in labels if each is not None], choice):
        warnings.warn(doubt, stacklevel=3)


def _recalled(memory: Remembered, count: int) -> dict[int, LabelFacts | None]:
    """What the labels of good scenes hold, by the scenes' numbers; what is not of its form is not known."""
    found: dict[int, LabelFacts | None] = {}
    for number in range(count):
        plain = memory.found(number)
        if plain is not None:
            with suppress(KeyError, TypeError, ValueError):
                found[number] = LabelFacts.of_plain(plain) if plain else None
    return found


def check_scene(
    pair: Pair,
    boxes: Annotation | None,
    choice: ClassChoice,
    readings: Sequence[Reading] | None,
    task_size: Size | None = None,
) -> tuple[Finding, list[Tensor]]:
    """Reads the files of one scene.

    Args:
        pair: the files.
        boxes: of the scene, where it has some.
        choice: what the ids in label images are.
        readings: how the files of each source are read; default: as they are, at full range.
        task_size: (H, W) that the scene is resized to for the task, or ``None``.

    Returns:
        What is found, and the images that can be read: (C, H, W) of each source, and the ids (H, W).
    """
    files = [*pair.sources] if pair.target is None else [*pair.sources, pair.target]
    images: list[Tensor] = []
    problems: dict[Path, str] = {}
    facts: LabelFacts | None = None
    for number, file in enumerate(files):
        is_label = number == len(pair.sources)
        try:
            reading = Reading() if is_label or readings is None else readings[number]
            images.append(read_ids(file) if is_label else reading.image(file))
            if is_label:
                facts = facts_of_mask(file, images[-1], choice)
        except DataError as error:
            problems[file] = str(error)
    if len(images) == len(files):
        problems = size_mismatches(pair, images) | problems
    if boxes is not None and not problems:
        try:
            height, width = images[pair.size_of or 0].shape[-2:]
            facts = facts_of_boxes(boxes, (height, width), task_size)
        except DataError as error:
            problems[boxes.file] = str(error)
    return Finding(problems, facts), images
