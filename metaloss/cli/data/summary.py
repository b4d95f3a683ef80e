"""What a conversion of labels did, for people to read."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from metaloss.data.convert import Outcome
from metaloss.data.formats import FORMATS
from metaloss.report.tables import aligned

_USUAL = ("ir", "vi")  # the sources of a data set where none are named


def summary(outcome: Outcome) -> str:
    """Says what was converted, what was left out, and how the result is read.

    Args:
        outcome: of the conversion.

    Returns:
        Lines, with a table of the classes.
    """
    made = "masks of class ids" if outcome.masks else "YOLO boxes"
    title = (
        f"{outcome.source}, {outcome.kind}: {outcome.files} file{'s' * (outcome.files != 1)} of {made} in {outcome.out}"
    )
    parts = [f"{title}\n\n{_classes(outcome)}"]
    if +outcome.left_out:
        rows = [[reason, f"{count:,}"] for reason, count in sorted((+outcome.left_out).items())]
        parts.append(aligned([["left out or changed", "count"], *rows]))
    if outcome.notes:
        parts.append("".join(f"{note}\n" for note in outcome.notes))
    parts.append("it is read by\n" + "".join(f"  {line}\n" for line in usage(outcome)))
    return "\n".join(parts)


def _classes(outcome: Outcome) -> str:
    total = max(sum(outcome.counts.values()) + outcome.ignored, 1)
    numbers = list(range(len(outcome.classes)))
    if outcome.most_frequent_first:
        numbers.sort(key=lambda number: -outcome.counts[number])
    rows = [
        [outcome.classes[number], str(number), str(outcome.found_in[number]), *_amount(outcome.counts[number], total)]
        for number in numbers
    ]
    if outcome.ignored:
        rows.append(["(ignored)", "255", "", *_amount(outcome.ignored, total)])
    return aligned([["class", "id", "files", "pixels" if outcome.masks else "boxes", "share"], *rows])


def _amount(count: int, total: int) -> tuple[str, str]:
    return f"{count:,}", f"{100 * count / total:.2f} %"


def usage(outcome: Outcome) -> tuple[str, str]:
    """Writes how a data set and a training read the result.

    Args:
        outcome: of the conversion.

    Returns:
        A line of Python, and one of the command line.
    """
    root, target = outcome.out.parent, outcome.out.name
    sources = _sources(outcome)
    python = [json.dumps(str(root), ensure_ascii=False)]
    options = [f"data_root={root}"]
    python.append(f"sources={_tuple(sources, ', ')}")
    options.append(f"sources={_tuple(sources, ',')}")
    python += [f"target={json.dumps(target, ensure_ascii=False)}", f'classes="{target}/classes.txt"']
    options += [f"target={target}", f"classes={_tuple(outcome.classes, ',')}"]
    return (
        f"PairedDataset({', '.join(python)})",
        f"metaloss train CONFIG --cfg-options {' '.join(map(shlex.quote, options))}",
    )


def _tuple(names: Iterable[str], between: str) -> str:
    quoted = [json.dumps(name, ensure_ascii=False) for name in names]
    return f"({between.join(quoted)}{',' * (len(quoted) == 1)})"


def _sources(outcome: Outcome) -> Sequence[str]:
    """The two folders beside the result that hold its images; where there are more or fewer, the usual ones."""
    stem = next((Path(name).stem for name in sorted(outcome.written) if name != "colours.txt"), "")
    beside = outcome.out.absolute().parent
    places = {outcome.out.resolve(), outcome.source.resolve()}
    found = [
        folder.name
        for folder in (sorted(beside.iterdir()) if beside.is_dir() else [])
        if folder.resolve() not in places
        and not (folder / "classes.txt").exists()  # another result
        and any((folder / f"{stem}{suffix}").is_file() for suffix in FORMATS)
    ]
    return found if len(found) == 2 else _USUAL
