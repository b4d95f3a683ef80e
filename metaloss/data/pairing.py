"""Which files belong together: by stem or by what a pattern's stars match, never by sort order."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from metaloss.data.affixes import common_affixes, pattern_of
from metaloss.data.list_lines import stem_of
from metaloss.data.listing import is_pattern, what_is_missing
from metaloss.data.part import part_of
from metaloss.data.scene_files import files_by_scene
from metaloss.data.split_list import place_of_list, read_split
from metaloss.errors import ConfigError, DataError, nearest
from metaloss.runtime.collection import collection_paused

_Folder = tuple[Path, Mapping[str, Path]]
_SHOWN = 3


@dataclass(frozen=True)
class Pair:
    """The files of one scene.

    Attributes:
        name: the stem that they share.
        sources: one file per source, in the order in which the sources were given.
        target: the label's file, or ``None``.
        size_of: the number of the source to whose size the others are resized, of data that is registered so; ``None``
            where all have one size.
    """

    name: str
    sources: tuple[Path, ...]
    target: Path | None = None
    size_of: int | None = None


@collection_paused()
def pair_by_stem(
    root: str | os.PathLike[str],
    sources: Sequence[str],
    target: str | None = None,
    split: str | os.PathLike[str] | None = None,
) -> list[Pair]:
    """Pairs the files of ``root/<source>/`` (and ``root/<target>/``) that share a stem, or a place in a pattern.

    Args:
        root: the folder that holds one folder per source, and the labels'.
        sources: at least two folders, such as ``("ir", "vi")``, or patterns, ``("images/*_ir.png", "images/*_vi.png")``
            say, whose stars match the scene's name; ``**`` reaches into subfolders. A file that two patterns match is
            the longer one's.
        target: the folder or pattern of the labels, or ``None`` for unlabelled data.
        split: a text file with one scene or file per line, relative to ``root``, else to where Python runs, or
            absolute; see :func:`metaloss.data.split_list.read_split`. Or a part of all scenes in order, ``"[:80%]"``
            say: see :func:`metaloss.data.part.part_of`. ``None`` takes every file.

    Returns:
        The pairs, in the order of the split file, else sorted by name; suffixes may differ. The name of a scene is the
        stem where files share stems, else what the stars match.

    Raises:
        ConfigError: fewer than two sources are named.
        DataError: a folder or file is missing, a link leads nowhere, a scene is there twice or has no partner, or the
            split is empty or unclear.
    """
    _check_count(sources)
    if not isinstance(split, (str, os.PathLike, type(None))):
        raise ConfigError(f"split={split!r}: give a text file of scenes, a part such as '[:80%]', or None for all")
    root = Path(root)
    if not root.is_dir():
        what = what_is_missing(root, "data folder")
        raise DataError(f"{root}: {what}; set METALOSS_DATA or --cfg-options data_root=...")
    names = [*sources] if target is None else [*sources, target]
    places = [root / name for name in names]

    def advice(patterns: Sequence[str | None]) -> str:
        written = [
            name if pattern is None else f"{name.rstrip('/')}/{pattern}"
            for name, pattern in zip(names, patterns, strict=True)
        ]
        wanted = f"sources={tuple(written[: len(sources)])}"
        return wanted if target is None else f"{wanted}, target={written[-1]!r}"

    folders = list(zip(places, files_by_scene(places), strict=True))
    if isinstance(split, str) and split.startswith("["):
        pairs = part_of(_pair(folders, advice), split, str(root))
    else:
        listed = None
        if split is not None:
            path = place_of_list(split, root)
            listed = read_split(path, [files for _, files in folders])
            _check_there(listed, path, folders)
        pairs = _pair(folders, advice, listed)
    if target is None:
        return pairs
    return [Pair(pair.name, pair.sources[:-1], pair.sources[-1]) for pair in pairs]


@collection_paused()
def pair_folders(folders: Sequence[str | os.PathLike[str]]) -> list[Pair]:
    """Pairs the files of any folders or patterns, by stem or by what stars match; or makes one pair of single files.

    Args:
        folders: at least two folders or patterns such as ``"ir/*.png"`` or ``"d/*_ir.png"`` (``**`` reaches into
            subfolders), or at least two files (of any names).

    Returns:
        The pairs, sorted by name, see :func:`pair_by_stem`; for files one pair with the first file's stem.

    Raises:
        ConfigError: fewer than two are given, or files and folders are mixed.
        DataError: a path is missing or a link that leads nowhere, a folder is empty, a pattern matches no image, or a
            scene is there twice or has no partner.
    """
    _check_count(folders)
    paths = [Path(folder) for folder in folders]
    for path in paths:
        if not path.exists() and not is_pattern(path):
            raise DataError(f"{path}: {what_is_missing(path, 'file or folder')}")
    collections = [path for path in paths if path.is_dir() or is_pattern(path)]
    if not collections:
        return [Pair(paths[0].stem, tuple(paths))]
    if len(collections) < len(paths):
        file = next(path for path in paths if path not in collections)
        kind = "a folder" if collections[0].is_dir() else "a pattern"
        raise ConfigError(
            f"{file} is a file and {collections[0]} {kind}: give files only, or folders only (or patterns)"
        )

    def advice(patterns: Sequence[str | None]) -> str:
        written = [path if pattern is None else path / pattern for path, pattern in zip(paths, patterns, strict=True)]
        return " ".join(f"'{each}'" for each in written)

    return _pair(list(zip(paths, files_by_scene(paths), strict=True)), advice)


def _check_count(sources: Sequence[str | os.PathLike[str]]) -> None:
    given = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    if len(given) < 2:
        shown = ", ".join(map(str, given)) or "none"
        raise ConfigError(f"{len(given)} source given ({shown}): image fusion needs at least two")


def _check_there(listed: Sequence[str], path: Path, folders: Sequence[_Folder]) -> None:
    """Refuses a list with names that no folder has anything of.

    Raises:
        DataError: naming the list, and some of them.
    """
    known = {name for _, files in folders for name in files}
    strange = [name for name in listed if name not in known]
    if strange:
        shown = ", ".join(map(repr, strange[:_SHOWN]))
        more = f" and {len(strange) - _SHOWN} more" if len(strange) > _SHOWN else ""
        stem = stem_of(strange[0])
        near = next((name for name in known if name.casefold() == stem.casefold()), None)
        hint = f" (did you mean {near!r}?)" if near else nearest(stem, known)
        raise DataError(
            f"{path}: lists {shown}{more}, which {'are' if len(strange) > 1 else 'is'} in no folder{hint}: correct the "
            "list, or add the files"
        )


def _pair(
    folders: Sequence[_Folder],
    advice: Callable[[Sequence[str | None]], str],
    listed: Sequence[str] | None = None,
) -> list[Pair]:
    """Pairs by name; ``listed`` picks and orders names, else every name counts."""
    everything = {name for _, files in folders for name in files}
    complete = everything.intersection(*(files for _, files in folders))
    if not complete:
        _advise(folders, advice)
    names = sorted(everything) if listed is None else listed
    complaints = []
    for folder, files in folders:
        missing = [name for name in names if name not in files]
        if missing:
            shown = ", ".join(_present(name, folders) for name in missing[:_SHOWN])
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            near = nearest(missing[0], [name for name in files if name not in complete])
            complaints.append(f"{folder} has no partner for {shown}{more}{near}")
    if complaints:
        raise DataError(f"{'; '.join(complaints)}: files are paired by stem, add or remove the odd ones")
    return [Pair(name, tuple(files[name] for _, files in folders)) for name in names]


def _advise(folders: Sequence[_Folder], advice: Callable[[Sequence[str | None]], str]) -> None:
    """Says which patterns would pair everything, where no scene is complete.

    Raises:
        DataError: there are such.
    """
    affixes = common_affixes([files.keys() for _, files in folders])
    if affixes is None:
        return
    patterns: list[str | None] = []
    for (folder, files), affix in zip(folders, affixes, strict=True):
        if any(affix) and is_pattern(folder):
            return
        patterns.append(pattern_of(affix, [file.name for file in files.values()]) if any(affix) else None)
    raise DataError(
        f"{' and '.join(str(folder) for folder, _ in folders)}: no stem is in all of them, and files are paired by "
        f"stem: write {advice(patterns)}, where * stands for the scene's name"
    )


def _present(name: str, folders: Sequence[_Folder]) -> str:
    """A file of the scene."""
    file = next(files[name] for _, files in folders if name in files)
    return f"{file.parent.name}/{file.name}"
