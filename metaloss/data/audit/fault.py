"""One thing that is wrong with a data set, or to be doubted."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Level = Literal["error", "doubt"]


@dataclass(frozen=True)
class Fault:
    """What was found.

    Attributes:
        level: ``"error"`` for what a training refuses, ``"doubt"`` for what it takes.
        kind: in a word or two.
        file: which file, folder or place in a file.
        says: what is wrong with it, and what to do.
    """

    level: Level
    kind: str
    file: str
    says: str

    @classmethod
    def of(cls, level: Level, kind: str, message: object, file: str | os.PathLike[str] | None = None) -> Fault:
        """Makes one of a message that begins with its file.

        Args:
            level: as above.
            kind: as above.
            message: such as an error's.
            file: where it is known; else what stands before the first colon, if it is there.
        """
        text = " ".join(str(message).split())
        place, colon, rest = text.partition(": ")
        if colon and (str(file) == place or Path(place.partition(", ")[0]).exists()):
            return cls(level, kind, place, rest)
        return cls(level, kind, "" if file is None else os.fspath(file), text)
