"""Folders to write into, checked before the work begins."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from metaloss.errors import ConfigError

_SHOWN = 120  # characters of a path


def check_folder(folder: Path, option: str) -> None:
    """Checks that a folder is there or can be made, and can be written into; leaves nothing behind.

    Args:
        folder: the folder.
        option: which option named it, for the message.

    Raises:
        ConfigError: a file is in its place, or the system does not let it be written.
    """
    shown = str(folder) if len(str(folder)) <= _SHOWN else f"{str(folder)[:_SHOWN]}..."
    made: list[Path] = []
    try:
        for part in reversed([folder, *folder.parents]):
            if not part.exists():
                part.mkdir()
                made.append(part)
            if not part.is_dir():
                what = "is a file" if part == folder else f"{part} is a file"
                raise ConfigError(f"{option} {shown}: {what}; give a folder")
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(f"{option} {shown}: cannot be written ({error.strerror}); give another folder") from None
    finally:
        for part in reversed(made):
            with suppress(OSError):  # another process has begun to work in it
                part.rmdir()


@contextmanager
def no_empty_folders(folder: Path) -> Iterator[None]:
    """Removes at the end what was made for a folder inside, as far as it is empty: a refused run leaves nothing."""
    missing = [part for part in (folder, *folder.parents) if not part.exists()]
    try:
        yield
    finally:
        for part in missing:
            with suppress(OSError):
                part.rmdir()
