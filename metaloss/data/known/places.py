"""Finds where a known data set lies: as it unpacks, or in plain folders."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from metaloss.data.known.record import Known, Part
from metaloss.data.listing import what_is_missing
from metaloss.errors import DataError

LABEL_FOLDERS = {"segmentation": "label|labels", "detection": "labels|label|Annotations|Annotation"}
_LEFT_BY_MACS = "__MACOSX"  # in archives
_BRANCH = re.compile(r"(main|master)?\d*$")  # and the number of a copy
_DEEPEST = 3  # folders, one in the other, around a data set
_SHOWN = 12


@dataclass(frozen=True)
class Place:
    """Folders of images and labels that belong together.

    Attributes:
        sources: relative to the tree.
        target: the folder or file of the labels, relative to the tree, or ``None``.
        split: the one split that lies there, or ``None``: all of them.
    """

    sources: tuple[str, ...]
    target: str | None
    split: str | None = None


@dataclass(frozen=True)
class Tree:
    """Where a data set was found.

    Attributes:
        folder: what the places are relative to.
        places: one per split where each has folders of its own.
        unpacked: whether it lies as it unpacks.
    """

    folder: Path
    places: tuple[Place, ...]
    unpacked: bool


def find_tree(
    record: Known,
    part: Part,
    root: Path,
    sources: Sequence[str],
    target: str | None,
    kind: str | None,
    split: str | None,
) -> Tree:
    """Finds a data set in a folder, also one or two folders of its own name deeper.

    Args:
        record: what is looked for.
        part: of the record.
        root: the folder.
        sources: the names of the sources, in the order in which they are wanted.
        target: another folder of labels than the data set's own, or ``None``.
        kind: of the labels, or ``None`` for none.
        split: the one that is wanted, or ``None`` for all.

    Raises:
        DataError: no such folder, or neither the data set as it unpacks nor plain folders.
    """
    if not root.is_dir():
        missing = what_is_missing(root, "data folder")
        raise DataError(f"{root}: {missing}; set METALOSS_DATA or --cfg-options data_root=...")
    labels = None if kind is None else target or part.target
    wanted = split if split in part.counts else None
    plain = Part(sources={name: name for name in sources}, target=kind and (target or LABEL_FOLDERS[kind]))
    for folder in _candidates(record, root):
        if part.pairs is not None:
            if target is None and _has_pairs(part, folder):
                return Tree(folder, (Place(tuple(sources), None),), unpacked=True)
        elif places := _places(part, folder, sources, labels, wanted):
            return Tree(folder, places, unpacked=True)
        if places := _places(plain, folder, sources, plain.target, None):
            return Tree(folder, places, unpacked=False)
    if _places(part, root.parent, sources, labels, wanted):
        raise DataError(f"{root}: lies in {record.title} as it unpacks: give the folder above, {root.parent}")
    tree = ", ".join(" ".join(line.split()) for line in record.tree.splitlines())
    names = ", ".join(each.split("|")[0] for each in (*sources, *([plain.target] if plain.target else [])))
    raise DataError(
        f"{root}: neither {record.title} as it unpacks, {tree}, nor plain folders {names} with "
        f"lists such as train.txt; it holds {_listing(root)}"
    )


def _has_pairs(part: Part, folder: Path) -> bool:
    """Whether a folder has scenes, whole or not: what is missing of them is said when they are paired."""
    try:
        return part.pairs is not None and bool(part.pairs(folder))
    except DataError:
        return True


def resolve(folder: Path, spec: str) -> str | None:
    """Finds a path whose parts may have several names, of which capitals do not count.

    Args:
        folder: what it is relative to.
        spec: such as ``"train/Infrared|ir"``; what follows a colon in it names channels, and is kept.

    Returns:
        The path as it is there, relative to the folder; ``None`` where nothing is.
    """
    if (folder / spec).exists():
        return spec
    found: list[str] = []
    place = folder
    for part in spec.split("/"):
        entries = {entry.name.lower(): entry.name for entry in place.iterdir()} if place.is_dir() else {}
        names = (alternative.partition(":") for alternative in part.split("|"))
        here = next((each for each in names if each[0].lower() in entries), None)
        if here is None:
            return None
        name = here[0] if (place / here[0]).exists() else entries[here[0].lower()]
        place = place / name
        found.append("".join((name, *here[1:])))
    return "/".join(found)


def _candidates(record: Known, root: Path) -> Iterator[Path]:
    """The folder itself, and those of the data set's name in it; else the only one in it."""
    named = [folder for folder in _subfolders(root) if is_named(record, folder)]
    for folder in named:
        yield from (deeper for deeper in _subfolders(folder) if is_named(record, deeper))
        yield folder
    yield root
    only = [] if named else _subfolders(root)
    for _ in range(_DEEPEST):
        if len(only) != 1:
            return
        yield only[0]
        only = _subfolders(only[0])


def is_named(record: Known, folder: Path) -> bool:
    """Whether a folder is called as a data set; capitals, marks and the name of a branch do not count."""
    plain = re.sub(r"[^a-z0-9]", "", folder.name.lower())
    return _BRANCH.sub("", plain) in record.folders


def _subfolders(folder: Path) -> list[Path]:
    entries = (entry for entry in folder.iterdir() if entry.is_dir())
    return sorted(entry for entry in entries if entry.name[0] != "." and entry.name != _LEFT_BY_MACS)


def _places(
    part: Part, folder: Path, sources: Sequence[str], labels: str | None, split: str | None
) -> tuple[Place, ...]:
    """All places that are wanted; none where a folder of one is missing."""
    splits = [split] if split else list(part.counts)
    found = []
    for each in splits if part.by_folder else [None]:
        specs = [*(part.sources[name] for name in sources), *([labels] if labels else [])]
        paths = [resolve(folder, spec.replace("{split}", each or "")) for spec in specs]
        if any(path is None for path in paths):
            return ()
        known = [path for path in paths if path is not None]
        found.append(Place(tuple(known[: len(sources)]), known[-1] if labels else None, each))
    return tuple(found)


def _listing(folder: Path) -> str:
    names = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in folder.iterdir())
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "nothing") + more
