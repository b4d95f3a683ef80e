"""Label files, each written whole or not at all, and the lists beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metaloss.errors import ConfigError, DataError
from metaloss.runtime.files import written_whole
from metaloss.runtime.folders import check_folder

_SHOWN = 3


def check_places(source: Path, out: Path, *, overwrite: bool) -> None:
    """Checks that a conversion can be written and that nothing is lost by it.

    Args:
        source: what is read; nothing is written into it.
        out: the folder.
        overwrite: whether files of the same names may be written over.

    Raises:
        ConfigError: the folder cannot be written, is or lies in the source, or holds something.
    """
    check_folder(out, "OUT")
    place, read = out.resolve(), source.resolve()
    if read in (place, *place.parents):
        raise ConfigError(f"OUT {out}: lies in {source}, which is left as it is: give another folder")
    if source.is_file() and read.parent == place:
        raise ConfigError(f"OUT {out}: holds {source}, which is left as it is: give another folder")
    held = sorted(held_in(out))
    if held and not overwrite:
        shown = ", ".join(held[:_SHOWN]) + (" ..." if len(held) > _SHOWN else "")
        raise ConfigError(f"OUT {out}: is not empty ({shown}): give another folder, or --overwrite")


def held_in(folder: Path) -> set[str]:
    """The names of what is in a folder, hidden files aside; nothing where there is none."""
    return {entry.name for entry in folder.iterdir() if entry.name[0] != "."} if folder.is_dir() else set()


def write_mask(path: Path, mask: NDArray[np.uint8]) -> None:
    """Writes a mask of class ids as grey PNG.

    Args:
        path: the file.
        mask: (H, W).

    Raises:
        DataError: it cannot be written.
    """
    from PIL import Image

    try:
        with written_whole(path) as file:
            Image.fromarray(mask).save(file, "PNG")
    except OSError as error:
        raise _unwritten(path, error) from error


def write_lines(path: Path, lines: Sequence[str]) -> None:
    """Writes a text.

    Args:
        path: the file.
        lines: without their ends.

    Raises:
        DataError: it cannot be written.
    """
    try:
        with written_whole(path) as file:
            file.write("".join(f"{line}\n" for line in lines).encode())
    except OSError as error:
        raise _unwritten(path, error) from error


def _unwritten(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: cannot be written ({error.strerror or error}); what is there already is whole")
