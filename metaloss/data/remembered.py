"""Scenes that a check has found good are not read again as long as their files have the same sizes and time stamps."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from metaloss.data.annotations import Annotation
from metaloss.data.pairing import Pair
from metaloss.runtime.cache import keep, recall

_VERSION = 2  # another one for every change of what is checked
_KIND = "checks"


class Remembered:
    """What earlier checks of these folders have found, kept in the user's cache folder.

    Args:
        pairs: the scenes that are checked now.
        annotations: the boxes of each, where there are some.
        asked: what the result depends on besides the files.
    """

    def __init__(
        self, pairs: Sequence[Pair], annotations: Sequence[Annotation | None], asked: Mapping[str, Any]
    ) -> None:
        here = os.getcwd()
        files = [[os.path.join(here, file) for file in (*pair.sources, *_target(pair))] for pair in pairs]
        folders = sorted({os.path.dirname(file) for each in files for file in each})
        self.name = _digest((_VERSION, sorted(asked.items()), folders))
        self.keys = [_digest(each) for each in files]
        self.stamps = [_stamp(each, boxes) for each, boxes in zip(files, annotations, strict=True)]
        self.known = {key: value for key, value in recall(_KIND, self.name).items() if _is_entry(value)}
        self.changed = False

    def found(self, number: int) -> Any:
        """What was found of a scene when its files were as they are; ``None`` where that is not known."""
        stamp, value = self.known.get(self.keys[number], ("", None))
        return value if stamp == self.stamps[number] else None

    def add(self, number: int, value: Any) -> None:
        """Remembers what was found of a good scene: anything that json can hold, but ``None``."""
        if self.stamps[number]:
            self.known[self.keys[number]] = [self.stamps[number], value]
            self.changed = True

    def save(self) -> None:
        """Writes it, where there is something new and the folder can be written."""
        if self.changed:
            keep(_KIND, self.name, self.known)


def _target(pair: Pair) -> list[Any]:
    return [] if pair.target is None else [pair.target]


def _stamp(files: Sequence[str], boxes: Annotation | None) -> str:
    """Size and time of each file, and the boxes as read; empty where a file is not there."""
    try:
        found = [(entry.st_size, entry.st_mtime_ns) for entry in map(os.stat, files)]
    except OSError:
        return ""
    return _digest((found, boxes))


def _is_entry(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def _digest(value: Any) -> str:
    return hashlib.blake2b(repr(value).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
