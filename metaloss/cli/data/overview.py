"""Which scenes the contact sheet of ``metaloss data check`` shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from metaloss.data.audit import Audit, Split
from metaloss.errors import MetaLossError
from metaloss.report.contact_sheet import Shown, draw_contact_sheet

_SCENES = 12
_MOSTLY = 0.5  # of all pixels: a class that is not coloured


def draw_overview(path: Path, found: Audit) -> Path | None:
    """Draws up to a dozen scenes that can be read, of each stretch of the data the one with the most classes.

    Of a split in which something is wrong with every scene, the images that can be read are shown without labels.

    Args:
        path: of the PNG file.
        found: what was looked at.

    Returns:
        The path; ``None`` where nothing can be shown.
    """
    several = [split for split in found.splits if len({len(split.dataset.readings) for split in found.splits}) == 1]
    total = sum(len(split.looks) for split in several)
    scenes: list[Shown] = []
    for split in several:
        share = max(1, round(_SCENES * len(split.looks) / total))
        for number in _chosen(split, min(share, _SCENES - len(scenes))):
            try:
                scenes.append(_shown(split, number))
            except MetaLossError:  # told as a fault
                continue
    if not scenes:
        return None
    draw_contact_sheet(path, scenes, _background(several))
    return path


def _shown(split: Split, number: int) -> Shown:
    dataset = split.dataset
    pair, target = dataset.pairs[number], None if split.looks[number].problems else dataset[number]["target"]
    pictures = [reading.image(file) for reading, file in zip(dataset.readings, pair.sources, strict=True)]
    return Shown(f"{split.name}: {pair.name}", pictures, target, dataset.sources, dataset.classes)


def _chosen(split: Split, count: int) -> list[int]:
    readable = [number for number, look in enumerate(split.looks) if look.sizes]
    good = [number for number in readable if not split.looks[number].problems] or readable
    count = min(count, len(good))
    stretches = [good[part * len(good) // count : (part + 1) * len(good) // count] for part in range(count)]
    return [max(stretch, key=lambda number: _classes(split, number)) for stretch in stretches]


def _classes(split: Split, number: int) -> int:
    facts = split.looks[number].facts
    return 0 if facts is None else len(facts.counts)


def _background(splits: Sequence[Split]) -> int | None:
    """The class 0 of label images, where most pixels are of it."""
    amounts = [split.counts()[0] for split in splits if split.unit == "pixels"]
    total = sum(amount.total() for amount in amounts)
    return 0 if total and sum(amount[0] for amount in amounts) > _MOSTLY * total else None
