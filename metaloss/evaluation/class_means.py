"""Over which classes a mean IoU is, and the means that papers take over some of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from metaloss.data.joined import paired_datasets
from metaloss.data.known import Protocol
from metaloss.data.regions import class_name, names_of_classes


@dataclass(frozen=True)
class ClassMeans:
    """What is to be said of a task's mean scores over classes.

    Attributes:
        values: the means of the data set's protocols, ``"mIoU/14 classes"``, in percent.
        over: by metric, how many classes it is a mean over: ``"14 of 15 classes"``.
        note: in words, where the mean of a paper may be another one; else empty.
    """

    values: dict[str, float] = field(default_factory=dict)
    over: dict[str, str] = field(default_factory=dict)
    note: str = ""


def class_means(evaluator: Any, dataset: Any) -> ClassMeans:
    """Looks at what an evaluator of class ids has counted; all processes call it, once their scores are computed.

    Args:
        evaluator: one with ``confusion()``, (C, C) int64, pixels of each true class by the class found, over all
            processes; or :class:`metaloss.tasks.MultiTask`'s, with such among its parts. Others have nothing to say.
        dataset: what was scored; its protocols count where it is, or wraps, one :class:`metaloss.data.KnownDataset`.
    """
    paired = list(paired_datasets(dataset))
    protocols: Sequence[Protocol] = getattr(paired[0], "protocols", ()) if len(paired) == 1 else ()
    classes, _ = names_of_classes(paired[0] if paired else dataset)
    values: dict[str, float] = {}
    over: dict[str, str] = {}
    notes: list[str] = []
    for prefix, counts in _confusions(evaluator):
        if counts.sum() == 0:
            continue
        fitting = protocols if len(classes) == len(counts) else ()
        values |= {f"{prefix}mIoU/{each.name}": mean_iou(counts, each.ids) for each in fitting}
        labelled, seen = counts.sum(1) > 0, counts.sum(0) + counts.sum(1) > 0
        over |= {f"{prefix}mIoU": _of(seen), f"{prefix}mAcc": _of(labelled)}
        notes += _notes(prefix, labelled, seen, classes, fitting)
    return ClassMeans(values, over, "; ".join(notes))


def mean_iou(counts: Tensor, ids: Sequence[int]) -> float:
    """The mean IoU over some classes, in percent.

    Pixels of other true classes do not count. A class that no pixel is labelled with has an IoU of 0.

    Args:
        counts: (C, C), pixels by true class and class found.
        ids: of the classes.
    """
    chosen = counts[list(ids)].double()
    right = chosen[list(range(len(ids))), list(ids)]
    union = chosen.sum(1) + chosen.sum(0)[list(ids)] - right
    return 100 * float((right / union.clamp_min(1)).mean())


def _confusions(evaluator: Any) -> Iterator[tuple[str, Tensor]]:
    for name, part in getattr(evaluator, "evaluators", {}).items():
        for prefix, counts in _confusions(part):
            yield f"{name}/{prefix}", counts
    if callable(getattr(evaluator, "confusion", None)):
        yield "", evaluator.confusion().cpu()


def _of(classes: Tensor) -> str:
    count = int(classes.sum())
    return f"{count} classes" if count == len(classes) else f"{count} of {len(classes)} classes"


def _notes(
    prefix: str, labelled: Tensor, seen: Tensor, classes: Sequence[str], protocols: Sequence[Protocol]
) -> Iterator[str]:
    def names(chosen: Tensor) -> str:
        return ", ".join(class_name(number, classes) for number in chosen.nonzero()[:, 0].tolist())

    if not labelled.all():
        wrong, absent = seen & ~labelled, ~seen
        said = [f"{names(wrong)} found all the same, with an IoU of 0"] * bool(wrong.any())
        said += [f"{names(absent)} left out"] * bool(absent.any())
        yield f"{prefix}mIoU is over {_of(seen)}: no pixel is labelled {names(~labelled)} ({'; '.join(said)})"
    if protocols:
        kinds = ", ".join(f"{each.name} {each.says}" for each in protocols)
        yield f"{prefix}mIoU/... are over {kinds}; in these a class that no pixel is labelled with has an IoU of 0"
