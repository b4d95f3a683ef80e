"""Which scenes of a known data set a split has."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from metaloss.data.known.order import natural
from metaloss.data.known.places import resolve
from metaloss.data.known.record import Part
from metaloss.data.list_lines import stem_of
from metaloss.data.pairing import Pair
from metaloss.data.part import part_of
from metaloss.data.split_list import read_whole_lines
from metaloss.errors import DataError, nearest

_NAMED = re.compile(r"([A-Za-z]\w*)?(\[.*)?")
_SHOWN = 3


@dataclass(frozen=True)
class Split:
    """What a split's text says.

    Attributes:
        name: ``"train"``, say, or nothing.
        file: a text file of names, or ``None``.
        part: of the scenes that these give, or of all: ``"[::10]"``, or nothing.
    """

    name: str = ""
    file: str | os.PathLike[str] | None = None
    part: str = ""

    @classmethod
    def of(cls, split: str | os.PathLike[str] | None) -> Split:
        """Reads ``"train"``, ``"train[::10]"``, ``"[:80%]"``, the name of a text file, or ``None`` for all scenes."""
        if split is None:
            return cls()
        found = _NAMED.fullmatch(split.strip()) if isinstance(split, str) else None
        return cls(file=split) if found is None else cls(name=found[1] or "", part=found[2] or "")


def list_of(folder: Path, split: Split) -> str | os.PathLike[str] | None:
    """The text file that lists a split: the one given, or ``train.txt`` where there is one.

    Args:
        folder: the data set's.
        split: what is wanted.
    """
    if split.file is not None or not split.name:
        return split.file
    return resolve(folder, f"{split.name}.txt") or resolve(folder, f"meta/{split.name}.txt")


def by_rule(pairs: Sequence[Pair], part: Part, name: str, where: str) -> list[Pair]:
    """The scenes that a record's rule gives a split; of one group alone (one patient), it divides that.

    Args:
        pairs: all of them, in order.
        part: whose rule it is.
        name: of the split.
        where: they lie, for messages.

    Raises:
        DataError: none is in it.
    """
    groups = [part.group(pair.name) if part.group else pair.name for pair in pairs]
    if len(set(groups)) == 1:
        groups = [pair.name for pair in pairs]
    taken = set(part_of(list(dict.fromkeys(groups)), part.rule[name], where))
    return [pair for pair, group in zip(pairs, groups, strict=True) if group in taken]


def in_order(pairs: Sequence[Pair]) -> list[Pair]:
    """Sorts scenes by name, numbers as numbers."""
    return sorted(pairs, key=lambda pair: natural(pair.name))


def listed(pairs: Sequence[Pair], path: Path, skipped: str | None = None) -> list[Pair]:
    """The scenes that a text file lists, in its order.

    Args:
        pairs: all of them.
        path: of the file, see :func:`metaloss.data.split_list.read_split`.
        skipped: ending of names that need not be there.

    Raises:
        DataError: the file cannot be read, or lists a scene twice, or one that is not there or is in several splits.
    """
    found, complaints = listed_and_complaints(pairs, path, skipped)
    for complaint in complaints:
        raise complaint
    return found


def listed_and_complaints(
    pairs: Sequence[Pair], path: Path, skipped: str | None = None, aside: Collection[str] = ()
) -> tuple[list[Pair], list[DataError]]:
    """The scenes that a text file lists, as :func:`listed`, and what is wrong with its other lines.

    Args:
        pairs: all of them.
        path: of the file.
        skipped: ending of names that need not be there.
        aside: names of scenes that are there in part.

    Raises:
        DataError: the file cannot be read at all, or lists nothing.
    """
    times = Counter(pair.name for pair in pairs)
    known = {pair.name: pair for pair in pairs}
    places = [
        {pair.name: pair.sources[place] for pair in pairs} for place in range(len(pairs[0].sources) if pairs else 0)
    ]
    names, complaints = read_whole_lines(path, places)
    strange = [name for name in names if name not in known and stem_of(name) not in aside]
    missing = [name for name in strange if not (skipped and stem_of(name).endswith(skipped))]
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        near = nearest(missing[0], known)
        shown = ", ".join(missing[:_SHOWN])
        complaints.append(DataError(f"{path}: lists {shown}{more}, and there is no such scene{near}"))
    complaints += [
        DataError(f"{path}: {name!r} is a scene of {times[name]} splits: rename one of them, its labels, and the line")
        for name in names
        if times[name] > 1
    ]
    found = [known[name] for name in names if times[name] == 1]
    if not found and not complaints:
        raise DataError(f"{path}: none of the names that it lists has images")
    return found, complaints
