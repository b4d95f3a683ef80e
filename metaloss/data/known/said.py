"""One line that says what was found of a known data set, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metaloss.data.joined import paired_datasets
from metaloss.data.known.places import Tree
from metaloss.data.known.record import Known, Part
from metaloss.data.known.splits import Split, list_of


def what_was_found(record: Known, part: Part, tree: Tree, split: Split, count: int) -> str:
    """Says which form of the data set was found, which folders are read, and where the split is from.

    Args:
        record: what was looked for.
        part: of the record.
        tree: where it was found.
        split: what was wanted of it.
        count: how many scenes the split has.
    """
    folders = [each for place in tree.places for each in (*place.sources, place.target) if each]
    shown = "" if part.pairs is not None and tree.unpacked else f" ({', '.join(dict.fromkeys(folders))})"
    if tree.unpacked and part.size_of is not None:
        shown = f"{shown[:-1]}; all of the size of {part.size_of})"
    form = "as it unpacks" if tree.unpacked else "in plain folders"
    said, published = _of_split(part, tree, split)
    complete = f" (published: {published})" if published not in (None, count) else ""
    return f"{record.title} {form} in {tree.folder}{shown}: {said}: {count} scenes{complete}"


def found(dataset: Any) -> list[str]:
    """What was found of the known data sets that a data set is, or wraps: a line each."""
    return [said for each in paired_datasets(dataset) if (said := getattr(each, "found", ""))]


def _of_split(part: Part, tree: Tree, split: Split) -> tuple[str, int | None]:
    """The split and where it is from; how many scenes it has as published, where all of it is wanted."""
    by_folder = part.by_folder and tree.unpacked
    file = list_of(tree.folder, split) if not by_folder or split.file is not None else None
    published: int | None = None
    if file is not None:
        said, published = f"listed in {Path(file).name}", part.counts.get(split.name)
    elif not split.name:
        said, published = "all", sum(part.counts.values()) or None
    elif by_folder:
        said, published = f"split {split.name}", part.counts.get(split.name)
    else:
        said = f"split {split.name}, {part.rule[split.name]} in the order of names"
    return (f"{said}, of these {split.part}", None) if split.part else (said, published)
