"""Which label belongs to which image, by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from metaloss.data.affixes import affix_of, pattern_of
from metaloss.data.listing import Listing
from metaloss.data.scene_files import names_in_pattern
from metaloss.errors import DataError

Label = TypeVar("Label", bound=object)
_SHOWN = 3


def label_files(listing: Listing) -> dict[str, set[Path]]:
    """The files of labels by all that they may be called: their stem, and what the stars of a pattern match.

    Args:
        listing: the files, of one kind.

    Raises:
        DataError: two files of one stem in a folder, or of one scene in a pattern.
    """
    known: dict[str, set[Path]] = {}
    for name, file in names_in_pattern(listing).items():
        for word in (name, file.stem):
            known.setdefault(word, set()).add(file)
    return known


def own_labels(
    path: Path, stems: Sequence[str], aliases: Sequence[Sequence[str]], known: Mapping[str, Collection[Label]]
) -> list[Label | None]:
    """Finds the label of each image: called as its scene, else as one of the scene's files.

    Args:
        path: where the labels are, for messages.
        stems: the names of the scenes.
        aliases: the stems of the files of each scene; empty: no other names.
        known: labels by name.

    Returns:
        One per image; ``None`` where there is none.

    Raises:
        DataError: one of two labels may be meant.
    """
    found: list[Label | None] = []
    for stem, others in zip(stems, aliases or [()] * len(stems), strict=True):
        labels = list(known.get(stem, ()))
        if not labels:
            labels = list(dict.fromkeys(label for other in others for label in known.get(other, ())))
        if len(labels) > 1:
            shown = " and ".join(str(getattr(label, "name", label)) for label in labels[:_SHOWN])
            raise DataError(
                f"{path}: {shown} may both be the label of {stem!r}: leave one of them out, of files by a pattern "
                "such as target='labels/*_ir.txt'"
            )
        found.append(labels[0] if labels else None)
    return found


def pattern_advice(path: Path, stems: Sequence[str], known: Mapping[str, Collection[Path]]) -> str:
    """Says which pattern would find a label for every image, for the end of a message; empty where none would."""
    affix = affix_of(stems, known.keys()) if path.is_dir() else None
    if affix is None:
        return ""
    files = [file.name for stem in stems for file in known[f"{affix[0]}{stem}{affix[1]}"]]
    return f"; or write target='{path.name}/{pattern_of(affix, files)}', where * stands for the scene's name"
