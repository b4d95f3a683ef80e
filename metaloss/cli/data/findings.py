"""What ``metaloss data check`` has found, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from metaloss.data.audit import Audit, Fault, Split, registration_looked_at
from metaloss.report.tables import aligned

_SHOWN = 10  # of one kind
_SIZES = 6


def written(found: Audit, picture: Path | None) -> str:
    """Writes tables of what was looked at, and below all that was found.

    Args:
        found: by the check.
        picture: the contact sheet, or ``None``.
    """
    parts = [_split(split) for split in found.splits]
    if not found.splits and not found.faults:
        parts.append("no scenes are read from files: there is nothing to check\n")
    parts += [_faults(found.faults)] if found.faults else []
    errors = sum(fault.level == "error" for fault in found.faults)
    doubts = len(found.faults) - errors
    counts = f"{errors} error{'s' * (errors != 1)}, {doubts} doubt{'s' * (doubts != 1)}"
    shown = "" if picture is None else f"; pictures: {picture}"
    return "\n".join([*parts, f"{counts}{shown}\n"])


def as_plain(found: Audit, picture: Path | None) -> dict[str, Any]:
    """All of it, as json can hold it.

    Args:
        found: by the check.
        picture: the contact sheet, or ``None``.
    """
    return {
        "splits": [_plain_split(split) for split in found.splits],
        "findings": [asdict(fault) for fault in found.faults],
        "picture": None if picture is None else str(picture),
    }


def _split(split: Split) -> str:
    dataset = split.dataset
    place = getattr(dataset, "found", "") or f"{len(dataset)} scenes of {', '.join(dataset.sources)}"
    looked_at = registration_looked_at(len(dataset))
    some = "" if looked_at == len(dataset) else f"; registration looked at in {looked_at} of them"
    sizes = [[name, _listed(counts)] for name, counts in zip(dataset.sources, split.sizes(), strict=True)]
    parts = [f"{split.name}: {place}{some}\n", _lefthand([["source", "sizes"], *sizes])]
    amounts, scenes = split.counts()
    if any(look.facts is not None for look in split.looks):
        total = max(amounts.total(), 1)
        numbers = range(len(dataset.classes)) if dataset.classes else sorted(amounts)
        rows = [
            [
                dataset.classes[number] if number < len(dataset.classes) else "",
                str(number),
                f"{amounts[number]:,}",
                f"{100 * amounts[number] / total:.2f} %",
                str(scenes[number]),
            ]
            for number in numbers
        ]
        parts.append(aligned([["class", "id", split.unit, "share", "scenes"], *rows]))
    return "".join(parts)


def _listed(sizes: Counter[tuple[int, int]]) -> str:
    shown = [f"{width}x{height} ({count})" for (width, height), count in sizes.most_common(_SIZES)]
    if len(sizes) > _SIZES:
        sides = list(zip(*sizes, strict=True))
        shown.append(f"{len(sizes) - _SIZES} more from {min(sides[0])} to {max(sides[0])} wide")
    return ", ".join(shown) or "none"


def _lefthand(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _faults(faults: Sequence[Fault]) -> str:
    """A line for each file, those of a kind together, and below those of which the same is said what to do."""
    lines = []
    for (level, kind), group in groupby(faults, key=lambda fault: (fault.level, fault.kind)):
        several = list(group)
        lines.append(f"{level}: {kind} ({len(several)})")
        shown: dict[str, list[str]] = {}
        for fault in several[:_SHOWN]:
            shown.setdefault(fault.says, []).append(fault.file)
        for says, files in shown.items():
            lines += [*(f"  {file}" for file in files if file), f"    {says}"]
        if len(several) > _SHOWN:
            lines.append(f"  and {len(several) - _SHOWN} more (--format json has them all)")
    return "".join(f"{line}\n" for line in lines)


def _plain_split(split: Split) -> dict[str, Any]:
    amounts, scenes = split.counts()
    return {
        "name": split.name,
        "found": getattr(split.dataset, "found", ""),
        "scenes": len(split.dataset),
        "classes": list(split.dataset.classes),
        split.unit: {str(number): amount for number, amount in sorted(amounts.items())},
        "scenes by class": {str(number): count for number, count in sorted(scenes.items())},
        "sizes": {
            name: {f"{width}x{height}": count for (width, height), count in counts.items()}
            for name, counts in zip(split.dataset.sources, split.sizes(), strict=True)
        },
    }
