"""Which files belong together: by stem, never by sort order."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from metaloss.data.images import FORMATS
from metaloss.data.list_lines import split_line
from metaloss.data.part import part_of
from metaloss.errors import ConfigError, DataError, nearest

_Folder = tuple[Path, Mapping[str, Path]]
_SHOWN = 3


@dataclass(frozen=True)
class Pair:
    """The files of one scene.

    Attributes:
        name: the stem that they share.
        sources: one file per source, in the order in which the sources were given.
        target: the label's file, or ``None``.
    """

    name: str
    sources: tuple[Path, ...]
    target: Path | None = None


def pair_by_stem(
    root: str | os.PathLike[str],
    sources: Sequence[str],
    target: str | None = None,
    split: str | os.PathLike[str] | None = None,
) -> list[Pair]:
    """Pairs the files of ``root/<source>/`` (and ``root/<target>/``) that share a stem.

    Args:
        root: the folder that holds one folder per source, and the labels'.
        sources: the names of at least two source folders, such as ``("ir", "vi")``.
        target: the name of the labels' folder, or ``None`` for unlabelled data.
        split: a text file with one stem or file name per line, relative to ``root`` or absolute; empty
            lines and those that start with ``#`` are skipped. Or a part of all stems in order, ``"[:80%]"``
            say: see :func:`metaloss.data.part.part_of`. ``None`` takes every file.

    Returns:
        The pairs, in the order of the split file, else sorted by stem; suffixes may differ.

    Raises:
        ConfigError: fewer than two sources are named.
        DataError: a folder or file is missing, a stem is there twice or has no partner, or the
            split is empty.
    """
    _check_count(sources)
    root = Path(root)
    if not root.is_dir():
        raise DataError(
            f"{root}: no such data folder{_nearest_path(root)}; set METALOSS_DATA or --cfg-options data_root=..."
        )
    names = [*sources] if target is None else [*sources, target]
    folders = [(root / name, images_by_stem(root / name)) for name in names]
    if isinstance(split, str) and split.startswith("["):
        pairs = part_of(_pair(folders), split, str(root))
    else:
        pairs = _pair(folders, None if split is None else _read_split(root, Path(split)))
    if target is None:
        return pairs
    return [Pair(pair.name, pair.sources[:-1], pair.sources[-1]) for pair in pairs]


def pair_folders(folders: Sequence[str | os.PathLike[str]]) -> list[Pair]:
    """Pairs the files of any folders or patterns by stem; or makes one pair of single files.

    Args:
        folders: at least two folders or patterns such as ``"ir/*.png"`` (``**`` reaches into subfolders),
            or at least two files (of any names).

    Returns:
        The pairs, sorted by stem; for files one pair with the first file's stem.

    Raises:
        ConfigError: fewer than two are given, or files and folders are mixed.
        DataError: a path is missing, a folder is empty, a pattern matches no image, or a stem is there
            twice or has no partner.
    """
    _check_count(folders)
    paths = [Path(folder) for folder in folders]
    for path in paths:
        if not path.exists() and not is_pattern(path):
            raise DataError(f"{path}: no such file or folder{_nearest_path(path)}")
    collections = [path for path in paths if path.is_dir() or is_pattern(path)]
    if not collections:
        return [Pair(paths[0].stem, tuple(paths))]
    if len(collections) < len(paths):
        file = next(path for path in paths if path not in collections)
        kind = "a folder" if collections[0].is_dir() else "a pattern"
        raise ConfigError(
            f"{file} is a file and {collections[0]} {kind}: give files only, or folders only (or patterns)"
        )
    return _pair([(path, images_by_stem(path)) for path in paths])


def is_pattern(path: Path) -> bool:
    """Whether a path names no file of its own but, with ``*``, ``?`` or ``[]`` in it, those that match."""
    return not path.exists() and glob.has_magic(str(path))


def _check_count(sources: Sequence[str | os.PathLike[str]]) -> None:
    given = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    if len(given) < 2:
        shown = ", ".join(map(str, given)) or "none"
        raise ConfigError(f"{len(given)} source given ({shown}): image fusion needs at least two")


def images_by_stem(folder: Path) -> dict[str, Path]:
    """Lists the image files of a folder, or of a pattern, by stem, in the order of their names.

    Args:
        folder: the folder, or a pattern (see :func:`pair_folders`); hidden files and other suffixes are left out.

    Returns:
        At least one file.

    Raises:
        DataError: no such folder, no images in it, or two files of one stem.
    """
    if is_pattern(folder):
        return _by_stem(folder, map(Path, glob.iglob(str(folder), recursive=True)))
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder{_nearest_path(folder)}{_listing(folder.parent)}")
    return _by_stem(folder, folder.iterdir())


def _by_stem(folder: Path, candidates: Iterable[Path]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for file in sorted(candidates):
        if file.suffix.lower() not in FORMATS or file.name.startswith(".") or not file.is_file():
            continue
        if file.stem in files:
            first, second = _told_apart(files[file.stem], file)
            raise DataError(
                f"{folder}: {first} and {second} have one stem, and files are paired by stem: keep one of them"
            )
        files[file.stem] = file
    if not files:
        raise DataError(f"{folder}: no image files ({', '.join(FORMATS)})")
    return files


def _pair(folders: Sequence[_Folder], listed: Sequence[str] | None = None) -> list[Pair]:
    """Pairs by stem; ``listed`` picks and orders stems, else every stem counts."""
    everything = {stem for _, files in folders for stem in files}
    complete = everything.intersection(*(files for _, files in folders))
    stems = sorted(everything) if listed is None else [_stem(entry, everything) for entry in listed]
    complaints = []
    for folder, files in folders:
        missing = [stem for stem in stems if stem not in files]
        if missing:
            shown = ", ".join(_present(stem, folders) for stem in missing[:_SHOWN])
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            complaints.append(
                f"{folder} has no partner for {shown}{more}{nearest(missing[0], files.keys() - complete)}"
            )
    if complaints:
        raise DataError(f"{'; '.join(complaints)}: files are paired by stem, add or remove the odd ones")
    return [Pair(stem, tuple(files[stem] for _, files in folders)) for stem in stems]


def _present(stem: str, folders: Sequence[_Folder]) -> str:
    """A file that has the stem, or the bare stem (of a split list) where none has."""
    for folder, files in folders:
        if stem in files:
            return f"{folder.name}/{files[stem].name}"
    return f"{stem!r} (listed, in no folder)"


def _read_split(root: Path, split: Path) -> list[str]:
    path = root / split
    if not path.is_file():
        raise DataError(f"{path}: no such split file{_nearest_path(path)}")
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text; a split lists one stem per line, in UTF-8") from error
    entries = [Path(split_line(line)[0]).name for line in lines if line and not line.startswith("#")]
    if not entries:
        raise DataError(f"{path}: the split lists nothing; write one stem per line, or leave split= out for all files")
    twice, times = Counter(map(_without_suffix, entries)).most_common(1)[0]
    if times > 1:
        raise DataError(f"{path}: {twice!r} is listed twice; remove one of the lines")
    return entries


def _stem(entry: str, stems: set[str]) -> str:
    return entry if entry in stems else _without_suffix(entry)


def _without_suffix(entry: str) -> str:
    return Path(entry).stem if Path(entry).suffix.lower() in FORMATS else entry


def _nearest_path(path: Path) -> str:
    """What the first missing part of a path may have been meant to be."""
    while not path.parent.exists():
        path = path.parent
    return nearest(path.name, [entry.name for entry in path.parent.iterdir()]) if path.parent.is_dir() else ""


def _told_apart(first: Path, second: Path) -> tuple[str, str]:
    return (str(first), str(second)) if first.name == second.name else (first.name, second.name)


def _listing(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []
    return f"; {folder} holds {', '.join(names[:8])}" if names else ""
