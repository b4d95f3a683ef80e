"""The files of a folder, or those that a pattern such as ``ir/*.png`` matches."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass
from pathlib import Path

from metaloss.errors import DataError, nearest


@dataclass(frozen=True)
class Listing:
    """Files of one place.

    Attributes:
        place: the folder or pattern, as given.
        base: the folder that ``names`` and ``pattern`` are relative to.
        pattern: with ``/`` between its parts; ``None`` of a folder.
        names: of the files, with ``/`` between their parts, in order.
    """

    place: Path
    base: Path
    pattern: str | None
    names: tuple[str, ...]

    def path(self, name: str) -> Path:
        """Where a file lies."""
        return self.base / name


def is_pattern(path: Path) -> bool:
    """Whether a path names no file of its own but, with ``*``, ``?`` or ``[]`` in it, those that match."""
    return not os.path.lexists(path) and glob.has_magic(_split(path)[1])


def list_files(place: Path, suffixes: Collection[str]) -> Listing:
    """Lists the files of a folder, or of a pattern (``**`` reaches into subfolders); hidden ones are left out.

    Args:
        place: the folder or pattern.
        suffixes: those that count, small letters and with the dot.

    Returns:
        Perhaps no file.

    Raises:
        DataError: no such folder, or a symbolic link to a file that is not there.
    """
    if is_pattern(place):
        base, pattern = _split(place)
        found = set(glob.iglob(pattern, root_dir=base, recursive=True))
        return Listing(place, base, pattern.replace(os.sep, "/"), _files(base, found, suffixes, set()))
    if not place.is_dir():
        raise DataError(f"{place}: {what_is_missing(place)}{listing_of(place.parent)}")
    with os.scandir(place) as entries:
        plain = {entry.name: entry.is_file(follow_symlinks=False) for entry in entries}
    return Listing(place, place, None, _files(place, plain, suffixes, {name for name in plain if plain[name]}))


def what_is_missing(path: Path, kind: str = "folder") -> str:
    """Says that there is no such thing and what it may have been meant to be, or that a link leads nowhere.

    Args:
        path: what is not there.
        kind: what it should be.
    """
    for part in (path, *path.parents):
        if part.is_symlink() and not part.exists():
            return f"{'is' if part == path else f'{part} is'} a link to {os.readlink(part)}, which is not there"
    if path.parts[:1] and path.parts[0].startswith("~"):
        return f"no such {kind}: ~ is a shell's word for the home folder, and was not replaced: write the whole path"
    if "\\" in str(path) and Path(str(path).replace("\\", "/")).exists():
        return f"no such {kind}: write it with / between its parts"
    return f"no such {kind}{_nearest(path)}"


def _nearest(path: Path) -> str:
    """What the first missing part of a path may have been meant to be, and which that is."""
    first = path
    while not first.parent.exists():
        first = first.parent
    near = nearest(first.name, os.listdir(first.parent)) if first.parent.is_dir() else ""
    return near if first == path or not near else f" ({first} is not there: {near.strip(' ()')})"


def listing_of(folder: Path) -> str:
    """Names the folders in a folder, for the end of a message."""
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []
    return f"; {folder} holds {', '.join(names[:8])}" if names else ""


def _split(path: Path) -> tuple[Path, str]:
    """The part of a path that is there, and the pattern after it: the names of folders may look like patterns."""
    base = path
    while not os.path.isdir(base) and base.parent != base:
        base = base.parent
    return base, str(path.relative_to(base)) if base != path else ""


def _files(base: Path, names: Iterable[str], suffixes: Collection[str], plain: Container[str]) -> tuple[str, ...]:
    """Those names that are files and count, in order; what is known to be a plain file is not looked at again.

    Raises:
        DataError: links among them lead to nothing: whatever they are for would be left out in silence.
    """
    found, broken = [], []
    for name in sorted(name for name in names if _counts(name, suffixes)):
        if name in plain:
            found.append(name)
            continue
        path = os.path.join(base, name)
        if os.path.isfile(path):
            found.append(name.replace(os.sep, "/"))
        elif os.path.islink(path) and not os.path.isdir(path):
            broken.append(path)
    if broken:
        others = len(broken) - 1
        more = f" (and {others} more such link{'s' * (others > 1)})" if others else ""
        raise DataError(
            f"{broken[0]}: a link to {os.readlink(broken[0])}, which is not there{more}: bring back what it leads to, "
            "or remove the link"
        )
    return tuple(found)


def _counts(name: str, suffixes: Collection[str]) -> bool:
    file = name.rpartition(os.sep)[2]
    return not file.startswith(".") and os.path.splitext(file)[1].lower() in suffixes
