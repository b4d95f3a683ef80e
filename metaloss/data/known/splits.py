"""Which scenes of a known data set a split has."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from metaloss.data.images import FORMATS
from metaloss.data.known.order import natural
from metaloss.data.known.places import resolve
from metaloss.data.known.record import Part
from metaloss.data.pairing import Pair
from metaloss.data.part import part_of
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
        path: of the file: a name or path of a file per line, with or without suffix; more in a line is not read.
        skipped: ending of names that need not be there.

    Raises:
        DataError: the file cannot be read, or lists a scene that is not there.
    """
    known = {pair.name: pair for pair in pairs}
    names = [name if name in known else _stem(name) for name in _names(path)]
    missing = [name for name in names if name not in known and not (skipped and name.endswith(skipped))]
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise DataError(
            f"{path}: lists {', '.join(missing[:_SHOWN])}{more}, and there is no such scene{nearest(missing[0], known)}"
        )
    found = [known[name] for name in names if name in known]
    if not found:
        raise DataError(f"{path}: the split lists nothing; write one name per line")
    return found


def _names(path: Path) -> list[str]:
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except FileNotFoundError as error:
        near: Mapping[str, None] = dict.fromkeys(file.name for file in path.parent.glob("*.txt"))
        raise DataError(f"{path}: no such split file{nearest(path.name, near)}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text; a split lists one name per line, in UTF-8") from error
    return [re.split(r"[/\\]", words[0])[-1] for words in lines if words and not words[0].startswith("#")]


def _stem(name: str) -> str:
    return Path(name).stem if Path(name).suffix.lower() in FORMATS else name
