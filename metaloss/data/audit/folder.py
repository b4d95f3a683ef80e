"""What lies in a folder: a known data set as it unpacks, or plain folders of sources and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metaloss.data.dataset import PairedDataset
from metaloss.data.formats import FORMATS
from metaloss.data.known import KnownDataset, known_datasets
from metaloss.data.known.places import LABEL_FOLDERS, find_tree, is_named
from metaloss.data.known.record import Known, Part
from metaloss.errors import ConfigError, DataError

_LABELS = ("label", "labels", "annotations", "annotation", "masks", "mask")
_SPLITS = ("train", "val", "test")
_USUAL = ("ir", "vi")
_ANYBODYS = {"ir", "infrared", "vi", "vis", "visible", "images:alpha", "images:rgb"}
_SHOWN = 12


@dataclass(frozen=True)
class Recipe:
    """How the data sets of a folder are made.

    Attributes:
        kind: the class.
        options: its arguments, without the split.
        splits: by the name that each is called.
        unread: folders of images beside the sources and the labels that were found.
    """

    kind: type[PairedDataset]
    options: Mapping[str, Any]
    splits: Mapping[str, Any]
    unread: tuple[str, ...] = ()


def recognise(root: Path, options: Mapping[str, Any], splits: Sequence[str]) -> list[Recipe]:
    """Finds out what lies in a folder.

    Args:
        root: the folder.
        options: arguments of a data set that are given, which count.
        splits: those that are given; none: all that are there.

    Returns:
        One, or one of each known data set that lies there.

    Raises:
        ConfigError: its sources cannot be told.
        DataError: no such folder.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give a folder, a config file, or the name of a shipped config")
    given = {split: split for split in splits}
    folders = {entry.name: entry for entry in sorted(root.iterdir()) if entry.is_dir() and entry.name[0] != "."}
    if "sources" not in options and not folders.keys() >= set(_USUAL):
        known = _known(root)
        if known:
            return [_of_known(root, options, given, *each) for each in known]
    found_options: dict[str, Any] = {"root": root, **options}
    if "sources" not in options:
        found_options["sources"] = _sources(root, folders)
    found_options.setdefault("target", _target(folders, found_options["sources"]))
    read = {str(name).partition("/")[0] for name in (*found_options["sources"], found_options["target"])}
    unread = (
        () if "sources" in options else tuple(name for name in folders if name not in read and _stems(folders[name]))
    )
    lists = {name: f"{name}.txt" for name in _SPLITS if (root / f"{name}.txt").is_file()}
    return [Recipe(PairedDataset, found_options, given or lists or {"all": None}, unread)]


def _of_known(
    root: Path, options: Mapping[str, Any], splits: Mapping[str, Any], record: Known, kind: str | None, part: Part
) -> Recipe:
    own = {} if "target" in options else {"target": kind}
    names = list(part.counts) if part.by_folder else [*(part.rule or part.counts)]
    found = {name: name for name in names if name != "all"} or {"all": None}
    return Recipe(KnownDataset, {"name": record.name, "root": root, **own, **options}, splits or found)


def _known(root: Path) -> list[tuple[Known, str | None, Part]]:
    """The data sets that unpack so and are called as it or a folder in it; else one of any name, whose folders tell."""
    records = list(known_datasets().values())
    folders = [root, *(entry for entry in root.iterdir() if entry.is_dir())]
    called = [record for record in records if any(is_named(record, folder) for folder in folders)]
    named = [found for record in called if (found := _unpacked(record, root))]
    if named:
        return named
    labelled = [record for record in records if None not in record.parts and _is_telling(record)]
    others = [record for record in records if None in record.parts and _is_telling(record)]
    first = next(([found] for record in labelled if (found := _unpacked(record, root))), [])
    return first or [found for record in others if (found := _unpacked(record, root))]


def _is_telling(record: Known) -> bool:
    """Whether the names of its folders are hardly those of anything else; ``ir`` and ``vi`` are, and ``images``."""
    [part, *_] = record.parts.values()
    names = {name for folder in part.sources.values() for name in folder.lower().split("|")}
    own_labels = part.target is not None and not any(":" in name for name in names)
    return part.pairs is None and (own_labels or names.isdisjoint(_ANYBODYS))


def _unpacked(record: Known, root: Path) -> tuple[Known, str | None, Part] | None:
    for kind, part in record.parts.items():
        try:
            if find_tree(record, part, root, list(part.sources), None, kind, None).unpacked:
                return record, kind, part
        except DataError:
            continue
    return None


def _sources(root: Path, folders: Mapping[str, Path]) -> tuple[str, ...]:
    if folders.keys() >= set(_USUAL):
        return _USUAL
    stems = {name: _stems(folder) for name, folder in folders.items() if name.lower() not in _LABELS}
    stems = {name: found for name, found in stems.items() if found}
    sharing = [name for name in stems if any(stems[name] & stems[other] for other in stems if other != name)]
    if len(sharing) < 2:
        shown = ", ".join([*folders][:_SHOWN]) or "no folders"
        raise ConfigError(
            f"{root}: no two folders in it hold images of the same stems, and it is no known data set as it unpacks; "
            f"it holds {shown}: name the sources with --sources A,B (folders or patterns), or give one of these folders"
        )
    return tuple(sharing)


def _target(folders: Mapping[str, Path], sources: Sequence[str]) -> str | None:
    wanted = dict.fromkeys([*LABEL_FOLDERS["segmentation"].split("|"), *_LABELS])
    return next((name for each in wanted for name in folders if name.lower() == each and name not in sources), None)


def _stems(folder: Path) -> set[str]:
    return {file.stem for file in folder.iterdir() if file.suffix.lower() in FORMATS and file.name[0] != "."}
