"""Those scenes of which all files are there, and what is wrong with the others: a data set says only the first."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metaloss.data.audit.fault import Fault
from metaloss.data.formats import FORMATS
from metaloss.data.listing import is_pattern, what_is_missing
from metaloss.data.pairing import Pair
from metaloss.data.part import part_of
from metaloss.data.scene_files import files_by_scene
from metaloss.data.split_list import place_of_list, read_whole_lines
from metaloss.errors import DataError


def whole_pairs(root: Path, sources: Sequence[str], target: str | None, split: Any) -> tuple[list[Pair], list[Fault]]:
    """Pairs as :func:`metaloss.data.pair_by_stem` does, and goes on where that ends.

    Args:
        root: the folder that holds the sources' and the labels'.
        sources: folders or patterns.
        target: the folder or pattern of the label images, or ``None``.
        split: a text file, a part, or ``None``.

    Returns:
        The scenes that are whole, and a fault for each file that keeps others from being so.

    Raises:
        DataError: a folder is missing, or a list cannot be read at all.
    """
    places = [root / name for name in ([*sources] if target is None else [*sources, target])]
    faults: list[Fault] = []
    links: set[str] = set()
    if any(map(is_pattern, places)):
        files: Sequence[Mapping[str, Path]] = files_by_scene(places)
    else:
        files = [_by_stem(place, links, faults) for place in places]
    part = isinstance(split, str) and split.startswith("[")
    if split is None or part:
        names = sorted({name for found in files for name in found} - links)
    else:
        path = place_of_list(split, root)
        names, complaints = read_whole_lines(path, files)
        faults += [Fault.of("error", "list", complaint, path) for complaint in complaints]
    pairs = []
    for name in names:
        missing = [place for place, found in zip(places, files, strict=True) if name not in found]
        there = [found[name] for found in files if name in found]
        if not missing:
            pairs.append(Pair(name, tuple(there[: len(sources)]), None if target is None else there[-1]))
        elif there and name not in links:
            says = f"no partner in {' and '.join(map(str, missing))}: add it, or remove this file"
            faults.append(Fault("error", "no partner", str(there[0]), says))
        elif not there and name not in links:
            says = f"lists {name!r}, which is in no folder: add its files, or remove the line"
            faults.append(Fault("error", "list", str(place_of_list(split, root)), says))
    return (part_of(pairs, split, str(root)) if part and pairs else pairs), faults


def _by_stem(folder: Path, links: set[str], faults: list[Fault]) -> dict[str, Path]:
    """The images of a folder by stem; adds the stems of broken links, and what is wrong."""
    if not folder.is_dir():
        raise DataError(f"{folder}: {what_is_missing(folder)}")
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if file.name.startswith(".") or file.suffix.lower() not in FORMATS or file.is_dir():
            continue
        if not file.exists():
            links.add(file.stem)
            says = f"a link to {os.readlink(file)}, which is not there: bring that back, or remove the link"
            faults.append(Fault("error", "broken link", str(file), says))
        elif file.stem in found:
            says = f"{found[file.stem].name} has the same stem, and files are paired by stem: remove or rename one"
            faults.append(Fault("error", "twice", str(file), says))
        else:
            found[file.stem] = file
    return found
