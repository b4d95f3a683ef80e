"""What the wild parts of a pattern match in a file's name: ``images/*_ir.png`` finds ``01`` in ``images/01_ir.png``."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

Kind = Literal["subfolders", "folder", "file"]
_WILD = re.compile(r"(?:\*|\?|\[!?\]?[^\]]*\])+")
_TOKEN = re.compile(r"\*|\?|\[!?\]?[^\]]*\]")
_SUBFOLDERS = "((?:[^/]+/)*)"


class Part(NamedTuple):
    """What one wild part of a pattern matches in a name.

    Attributes:
        text: of the name; of ``**`` folders with ``/`` between them.
        kind: ``"subfolders"`` for ``**``, or whether it stands in a folder's or in the file's name.
    """

    text: str
    kind: Kind


def wild_parts(pattern: str) -> Callable[[str], tuple[Part, ...]]:
    """Makes what reads a pattern's wild parts in the names that it matches.

    Neighbouring signs, ``[12]*`` say, are one part. A file's suffix belongs to none.

    Args:
        pattern: with ``/`` between its parts.

    Returns:
        A function of a name, with ``/`` between its parts and in the same base as the pattern.
    """
    *folders, last = pattern.split("/")
    if last == "**":
        folders, last = [*folders, "**"], "*"
    before = "".join(_SUBFOLDERS if part == "**" else f"{_expression(part)}/" for part in folders)
    kinds: list[Kind] = []
    for part in folders:
        kinds += ["subfolders"] if part == "**" else ["folder"] * _count(part)
    stem, suffix = os.path.splitext(last)
    whole = re.compile(f"{before}{_expression(last)}")
    without = re.compile(f"{before}{_expression(stem)}")

    def read(name: str) -> tuple[Part, ...]:
        name_stem, name_suffix = os.path.splitext(name)
        found, count = None, _count(last)
        if suffix and fnmatch.fnmatch(name_suffix, suffix):
            found, count = without.fullmatch(name_stem), _count(stem)
        if found is None:
            found, count = whole.fullmatch(name_stem) or whole.fullmatch(name), _count(last)
        if found is None or not found.groups():  # a system that does not tell capitals; a bracket that closes nothing
            return (Part(os.path.basename(name_stem), "file"),)
        texts = [text.rstrip("/") for text in found.groups()]
        ends: list[Kind] = ["file"] * count
        return tuple(Part(text, kind) for text, kind in zip(texts, kinds + ends, strict=True))

    return read


def literal(pattern: str) -> str:
    """What of a pattern is not wild."""
    return _WILD.sub("", pattern)


def words(pattern: str) -> list[str]:
    """The readable words of a pattern, without suffix: ``["images", "FLIR", "ir"]`` of ``images/FLIR_*_ir.png``."""
    *folders, last = pattern.replace(os.sep, "/").split("/")
    stem, _ = os.path.splitext(last)
    pieces = [piece.strip("_-. ") for part in (*folders, stem) for piece in _WILD.split(part)]
    return [piece for piece in pieces if piece]


def scene_names(keys: Iterable[Sequence[Part]]) -> list[str]:
    """Names scenes by what wild parts match: joined by ``_``, and without subfolders where that tells them apart.

    Args:
        keys: the parts of each scene.

    Returns:
        One name per scene; two may be equal.
    """
    keys = list(keys)
    short = ["_".join(part.text for part in key if part.kind != "subfolders") for key in keys]
    if all(short) and len(set(short)) == len(short):
        return short
    return ["_".join(part.text.replace("/", "_") for part in key if part.text) for key in keys]


def _count(part: str) -> int:
    return len(_WILD.findall(part))


def _expression(part: str) -> str:
    pieces = [re.escape(piece) for piece in _WILD.split(part)]
    groups = [f"({''.join(map(_token, _TOKEN.findall(wild)))})" for wild in _WILD.findall(part)]
    return "".join(piece + group for piece, group in zip(pieces, [*groups, ""], strict=True))


def _token(token: str) -> str:
    if token in "*?":
        return "[^/]*" if token == "*" else "[^/]"
    # in brackets as `fnmatch` has it, which knows what a regular expression takes otherwise
    return fnmatch.translate(token)[len("(?s:") : -len(r")\Z")]
