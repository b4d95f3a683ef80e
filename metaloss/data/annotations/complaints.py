"""What is wrong with the entries of a file, or the files of a folder: the first is told, the others are counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from metaloss.errors import DataError

_SHOWN = 3


class Complaints:
    """Collects errors of entries that are read one by one."""

    def __init__(self) -> None:
        self.found: list[tuple[str, DataError]] = []

    @contextmanager
    def about(self, entry: str) -> Iterator[None]:
        """Keeps an error of a block for later.

        Args:
            entry: what is read in the block, in a word or two.
        """
        try:
            yield
        except DataError as error:
            self.found.append((entry, error))

    def end(self, one: str, several: str) -> None:
        """Ends the reading.

        Args:
            one: what an entry is, ``"file"`` say.
            several: the same of several.

        Raises:
            DataError: there were errors: the first one, and how many more there are, and where.
        """
        if not self.found:
            return
        (_, first), *others = self.found
        if not others:
            raise first
        shown = ", ".join(entry for entry, _ in others[:_SHOWN]) + (" ..." if len(others) > _SHOWN else "")
        raise DataError(f"{first} ({len(others)} more bad {several if len(others) > 1 else one}: {shown})") from first
