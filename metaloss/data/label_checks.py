"""What the labels of a data set hold all together, and what is to be doubted in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

from torch import Tensor

from metaloss.data.annotations.annotation import Annotation
from metaloss.data.annotations.vanishing import Fate
from metaloss.data.class_choice import FAR, NO_CLASS, ClassChoice, histogram
from metaloss.errors import DataError

_LISTED = 12
LEFT_OUT = "left out"


@dataclass(frozen=True)
class LabelFacts:
    """What one scene's label holds.

    Attributes:
        file: of the label.
        counts: pixels, or boxes, by class.
        left_out: pixels by what is left out in items, an id with its name where it has one: of label images.
        values: the ids in a label image's file, each once.
        fate: which boxes vanish.
        where: the file, and the place in it, where it is one of several images.
    """

    file: Path
    counts: Mapping[int, int]
    left_out: Mapping[str, int] = field(default_factory=dict)
    values: tuple[int, ...] = ()
    fate: Fate | None = None
    where: str = ""

    def as_plain(self) -> dict[str, Any]:
        """What json can hold of it, which is all."""
        return {**asdict(self), "file": str(self.file), "counts": list(self.counts.items())}

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> LabelFacts:
        """Makes it again of what :meth:`as_plain` gave."""
        fate = None if plain["fate"] is None else Fate(**plain["fate"])
        changed = {"file": Path(plain["file"]), "counts": dict(plain["counts"]), "values": tuple(plain["values"])}
        return cls(**{**plain, **changed, "fate": fate})


def facts_of_mask(file: Path, ids: Tensor, choice: ClassChoice) -> LabelFacts:
    """Takes down what a label image holds.

    Args:
        file: of the label.
        ids: (H, W) int64, as the file has them.
        choice: what they are in items.

    Raises:
        DataError: an id that is no class and not ignored.
    """
    found = histogram(ids)
    choice.check_mask(found, file)
    counts: Counter[int] = Counter()
    left_out: Counter[str] = Counter()
    for old, pixels in found.items():
        number = choice.number(old)
        if number is not None and number != NO_CLASS:
            counts[number] += pixels
        elif old not in choice.ignore:
            left_out[choice.label(old)] += pixels
    return LabelFacts(file, dict(counts), dict(left_out), tuple(found), where=str(file))


def facts_of_boxes(
    annotation: Annotation, size: tuple[int, int], task_size: tuple[int, int] | None = None
) -> LabelFacts:
    """Takes down what the boxes of a scene are.

    Args:
        annotation: the boxes.
        size: (H, W) of the image.
        task_size: (H, W) that it is resized to for the task, or ``None``.

    Raises:
        DataError: the file belongs to an image of another size, or most of its boxes vanish.
    """
    fate = annotation.fate(size, task_size)
    return LabelFacts(annotation.file, dict(Counter(annotation.labels)), fate=fate, where=annotation.where)


def judge(facts: Sequence[LabelFacts], choice: ClassChoice) -> list[str]:
    """Says what is to be doubted in the labels of a data set, a sentence for each kind, with numbers and a file.

    Args:
        facts: of every scene that has a label.
        choice: the classes.

    Returns:
        The sentences.

    Raises:
        DataError: no pixel is of a class, or most boxes vanish.
    """
    masks = [each for each in facts if each.fate is None]
    boxes = [each for each in facts if each.fate is not None]
    if masks and not any(each.counts for each in masks):
        raise DataError(
            f"{masks[0].file.parent}: no pixel of its {len(masks)} label{'s' * (len(masks) > 1)} is of a class, all "
            f"are {_ignored(choice)}: give the labels, or ignore= the id that stands for no class"
        )
    return [
        *_doubts_of_masks(masks, choice).values(),
        *_doubts_of_boxes(boxes),
        *too_small(facts),
        *absent(facts, choice),
    ]


def doubts_of_label(facts: LabelFacts, choice: ClassChoice) -> dict[str, str]:
    """Says what is to be doubted in one label.

    Args:
        facts: what it holds.
        choice: the classes.

    Returns:
        A sentence by its kind in a word or two: ``"ignored"``, ``"black and white"`` or ``"boxes vanish"``.
    """
    if facts.fate is not None:
        return (
            {"boxes vanish": f"{facts.where}: {facts.fate}; they are not in the items"} if facts.fate.vanished else {}
        )
    found = _doubts_of_masks([facts], choice)
    return {kind: says for kind, says in found.items() if kind != LEFT_OUT}


def what_is_left_out(facts: Sequence[LabelFacts], choice: ClassChoice) -> str:
    """Says which ids are left out of label images, in one sentence; empty where none are.

    Args:
        facts: of every scene that has a label.
        choice: the classes.
    """
    return _doubts_of_masks([each for each in facts if each.fate is None], choice).get(LEFT_OUT, "")


def _doubts_of_masks(masks: Sequence[LabelFacts], choice: ClassChoice) -> dict[str, str]:
    empty = [each for each in masks if not each.counts]
    binary = [each for each in masks if each.counts and _is_binary(each, choice)]
    others = [each for each in masks if each.left_out]
    doubts = {}
    if empty:
        doubts["ignored"] = (
            f"{_first(empty, masks)}: no pixel is of a class, all are {_ignored(choice)}: nothing is learned from it; "
            "label it, or leave it out of the split"
        )
    if binary:
        high = max(binary[0].values)
        meaning = f", and {high} does not count" if choice.number(high) == NO_CLASS else ""
        doubts["black and white"] = (
            f"{_first(binary, masks)}: holds 0 and {high} alone{meaning}; if they are 0 and 1, `metaloss data convert "
            f"IN OUT --classes 0,{high}` writes class ids"
        )
    if others:
        pixels = sum((Counter(each.left_out) for each in others), Counter[str]())
        listed = ", ".join(f"{name}: {count}" for name, count in pixels.most_common(_LISTED))
        listed += ", ..." if len(pixels) > _LISTED else ""
        doubts[LEFT_OUT] = (
            f"{_first(others, masks)}: has ids of no class that counts, which are left out; pixels in all by id: "
            f"{listed}; the classes are {', '.join(choice.names)}"
        )
    return doubts


def _doubts_of_boxes(scenes: Sequence[LabelFacts]) -> list[str]:
    fates = [each.fate or Fate() for each in scenes]
    fate = reduce(Fate.__add__, fates, Fate())
    lost = [scene for scene, own in zip(scenes, fates, strict=True) if own.vanished]
    if 2 * fate.as_corners > fate.boxes > 1:
        first = next(scene for scene, own in zip(scenes, fates, strict=True) if own.as_corners)
        raise DataError(
            f"{first.where}: {fate.as_corners} of all {fate.boxes} boxes reach over the border of their image: the "
            "numbers look like corners (left, top, right, bottom), where width and height are expected"
        )
    if 2 * fate.vanished > fate.boxes > 1:
        raise DataError(
            f"{_first(lost, scenes)}: {fate}: expected boxes in the images that are there, of a pixel or more"
        )
    return [f"{_first(lost, scenes)}: {fate}; they are not in the items"] if lost else []


def too_small(facts: Sequence[LabelFacts]) -> list[str]:
    """Says how many boxes become too small for the task, in one sentence or none.

    Args:
        facts: of every scene that has a label.
    """
    fates = [each.fate for each in facts if each.fate is not None]
    small = [each for each in facts if each.fate is not None and each.fate.small]
    if not small:
        return []
    count, boxes = sum(fate.small for fate in fates), sum(fate.boxes for fate in fates)
    return [
        f"{_first(small, facts)}: {count} of {boxes} boxes {'is' if count == 1 else 'are'} less than a pixel wide or "
        "high once the images are resized to task_size, and the task does not see them: give a larger task_size"
    ]


def absent(facts: Sequence[LabelFacts], choice: ClassChoice) -> list[str]:
    """Names the classes that no label has, in one sentence or none.

    Args:
        facts: of every scene that has a label.
        choice: the classes.
    """
    present = {number for each in facts for number in each.counts}
    wanted = {choice.number(found) for found in range(choice.count)} - {NO_CLASS, *present}
    absent = [choice.names[number] for number in sorted(number for number in wanted if number is not None)]
    named = ", ".join(absent[:_LISTED]) + (f" and {len(absent) - _LISTED} more" if len(absent) > _LISTED else "")
    if not facts or not absent:
        return []
    whole = facts[0].file if len({each.file for each in facts}) == 1 else facts[0].file.parent
    return [
        f"{whole}: no {'pixel' if facts[0].fate is None else 'box'} in the labels of {len(facts)} scene"
        f"{'s' * (len(facts) > 1)} is of {named}: from these scenes {'they' if len(absent) > 1 else 'it'} "
        "can be neither learned nor scored"
    ]


def _first(found: Sequence[LabelFacts], of: Sequence[LabelFacts]) -> str:
    """The first place, and of how many labels it is an example."""
    return f"{found[0].where} (and {len(found) - 1} more of {len(of)} labels)" if len(found) > 1 else found[0].where


def _is_binary(facts: LabelFacts, choice: ClassChoice) -> bool:
    """Whether a mask has 0 and a far value, which is no class as far as classes are known."""
    if len(facts.values) != 2 or facts.values[0] != 0 or facts.values[1] < FAR:
        return False
    return not choice.names or choice.number(facts.values[1]) == NO_CLASS


def _ignored(choice: ClassChoice) -> str:
    return f"the ignored id{'s' * (len(choice.ignore) > 1)} {', '.join(map(str, choice.ignore)) or 'none'}"
