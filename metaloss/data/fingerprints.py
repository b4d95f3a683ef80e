"""What tells one data set from another: how many items, which classes and sources, which files of what size."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from metaloss.data.ignored import IGNORED
from metaloss.data.joined import paired_datasets

FULL = "full"
USUAL: dict[str, Any] = {"range": FULL, "ignore": [IGNORED], "others": "error"}  # what a fingerprint leaves out


def fingerprint(dataset: Any) -> dict[str, Any]:
    """Describes a data set, so that a resumed run can tell whether it is the one that it began with.

    Nothing in it depends on where the data lies, or on when it was written.

    Args:
        dataset: any data set; what it has of ``classes`` and ``sources`` counts, the files of
            :class:`metaloss.data.PairedDataset`, also inside of others, and what a method ``fingerprint()`` of its own
            returns, a dict of plain values.

    Returns:
        ``items``, their number; and, as far as they are known, ``classes``, ``sources``, ``names`` (a digest of the
        scenes' names, in their order), ``files`` (a digest of the sizes of their files), ``boxes``
        and, where they are not what they are without a word, ``range`` (of each source), ``ignore`` and ``others``; of
        each data set, where they differ.
    """
    found: dict[str, Any] = {"items": len(dataset)}
    for name in ("classes", "sources"):
        value = getattr(dataset, name, None)
        if isinstance(value, (list, tuple)):
            found[name] = list(map(str, value))
    paired = list(paired_datasets(dataset))
    if paired:
        pairs = [pair for each in paired for pair in each.pairs]
        found["names"] = _digest([pair.name for pair in pairs])
        files = [[*pair.sources, *([] if pair.target is None else [pair.target])] for pair in pairs]
        found["files"] = _digest([[(file.name, file.stat().st_size) for file in each] for each in files])
        found["classes"] = list(dict.fromkeys(str(name) for each in paired for name in each.classes))
        ranges = [list(each) for each in ranges_read(dataset)]
        if any(own != FULL for each in ranges for own in each):
            found["range"] = _one_or_all(ranges)
        labelled = [each.choice for each in paired if each.annotations is not None or each.pairs[0].target is not None]
        for name, values in (
            ("ignore", [sorted(choice.ignore) for choice in labelled]),
            ("others", [choice.others for choice in labelled]),
        ):
            if any(value != USUAL[name] for value in values):
                found[name] = _one_or_all(values)
        boxes = [(one.boxes, one.labels) for each in paired for one in each.annotations or ()]
        if boxes:
            found["boxes"] = _digest(boxes)
    own = getattr(dataset, "fingerprint", None)
    return {**found, **own()} if callable(own) else found


def ranges_read(dataset: Any) -> list[tuple[str, ...]]:
    """The ranges with which the sources behind a data set are read, as text, source by source.

    Args:
        dataset: any; what it wraps counts.

    Returns:
        Those that differ, of each :class:`metaloss.data.PairedDataset` that is in it.
    """
    found = (tuple(str(reading.range) for reading in paired.readings) for paired in paired_datasets(dataset))
    return list(dict.fromkeys(found))


def _one_or_all(values: Sequence[Any]) -> Any:
    return values[0] if all(value == values[0] for value in values) else list(values)


def _digest(value: Any) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]
