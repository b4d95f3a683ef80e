"""All files of a source are read and checked before one is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from metaloss.data.annotations.complaints import Complaints
from metaloss.runtime.progress_bar import progress_bar

Read = TypeVar("Read")


def read_all(files: Sequence[Path], read: Callable[[Path], Read]) -> list[Read]:
    """Reads every file, with a progress bar.

    Args:
        files: the files.
        read: reads one.

    Returns:
        What was read, in the order of the files.

    Raises:
        DataError: of the first file that cannot be read, with the number of further ones.
    """
    found: list[Read] = []
    complaints = Complaints()
    with progress_bar("reading", len(files)) as advance:
        for file in files:
            with complaints.about(file.name):
                found.append(read(file))
            advance(file.name)
    complaints.end("file", "files")
    return found
