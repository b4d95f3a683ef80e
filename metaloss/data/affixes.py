"""What stands before and after a scene's name in the files of several folders."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Iterable, Sequence

Affix = tuple[str, str]
_MARKS = "_-. "


def common_affixes(folders: Sequence[Collection[str]]) -> list[Affix] | None:
    """Finds the prefix and the suffix of each folder without which all have the same names.

    Args:
        folders: the stems of each folder's files.

    Returns:
        Prefix and suffix per folder; ``None`` where no such pairs everything, or none is needed.
    """
    if any(not stems for stems in folders):
        return None
    affixes = (_single if all(len(stems) == 1 for stems in folders) else _several)(folders)
    names = [_stripped(stems, affix) for stems, affix in zip(folders, affixes, strict=True)]
    agree = all(len(found) == len(stems) and found == names[0] for found, stems in zip(names, folders, strict=True))
    return affixes if agree and "" not in names[0] and any(map(any, affixes)) else None


def affix_of(names: Collection[str], stems: Collection[str]) -> Affix | None:
    """Finds the prefix and the suffix that make a file's stem of every name.

    Args:
        names: of scenes.
        stems: among which each should have its own, with one prefix and one suffix.
    """
    first = min(names, key=len, default="")
    for stem in sorted(stems):
        before, found, after = stem.partition(first)
        if first and found and all(f"{before}{name}{after}" in stems for name in names):
            return before, after
    return None


def pattern_of(affix: Affix, files: Iterable[str]) -> str:
    """Writes the pattern of a folder's files: ``"*_ir.png"``; of any suffix where they have several."""
    suffixes = {os.path.splitext(file)[1] for file in files}
    prefix, suffix = map(glob.escape, affix)
    return f"{prefix}*{suffix}{suffixes.pop() if len(suffixes) == 1 else '.*'}"


def _stripped(stems: Collection[str], affix: Affix) -> set[str]:
    """What is left of stems without a prefix and a suffix, which all of them have."""
    prefix, suffix = affix
    return {stem[len(prefix) : len(stem) - len(suffix)] for stem in stems}


def _several(folders: Sequence[Collection[str]]) -> list[Affix]:
    """What all names of a folder begin and end with, but for what that of all folders ends and begins with."""
    heads, tails = [], []
    for stems in folders:
        head = _head(stems)
        tail = _tail(stems)
        heads.append(head)
        tails.append(tail[max(0, len(tail) - min(map(len, stems)) + len(head)) :])
    own, shared = _tail(heads), _head(tails)
    before = [head[: len(head) - len(own)] for head in heads]
    after = [tail[len(shared) :] for tail in tails]
    marks_before = own[: len(own) - len(own.lstrip(_MARKS))] if all(before) else ""
    marks_after = shared[len(shared.rstrip(_MARKS)) :] if all(after) else ""
    return [(head + marks_before, marks_after + tail) for head, tail in zip(before, after, strict=True)]


def _single(folders: Sequence[Collection[str]]) -> list[Affix]:
    """The same for one file per folder: its name is the longer of what the stems begin and what they end with."""
    stems = [next(iter(each)) for each in folders]
    head, tail = _head(stems).rstrip(_MARKS), _tail(stems).lstrip(_MARKS)
    if len(head) >= len(tail):
        return [("", stem[len(head) :]) for stem in stems]
    return [(stem[: len(stem) - len(tail)], "") for stem in stems]


def _head(texts: Collection[str]) -> str:
    """What all texts begin with: what the first and the last of them in order do."""
    first, last = min(texts), max(texts)
    differing = (place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return first[: next(differing, len(first))]


def _tail(texts: Collection[str]) -> str:
    return _head([text[::-1] for text in texts])[::-1]
