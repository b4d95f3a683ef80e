"""Files that are never half written and never run code, and the state of all random generators."""

from __future__ import annotations

import os
import pickle
import random
import secrets
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from metaloss.errors import CheckpointError, ConfigError
from metaloss.runtime.numpy_scalars import STAND_INS

if sys.platform != "win32":
    import fcntl

_BEGINNING = 50  # characters of a name, of up to 4 of the 255 bytes that a name may have


def save(path: str | os.PathLike[str], content: dict[str, Any]) -> None:
    """Writes a checkpoint beside its place and renames it into it.

    Args:
        path: the file; its folder is made when missing.
        content: tensors and plain values.

    Raises:
        CheckpointError: it cannot be written, the disk is full say, or holds what could not be read again without
            running code; what was there before is as it was.
    """
    content = as_plain(content)
    if Path(path).is_dir():
        raise CheckpointError(f"{str(path)!r} is a folder, and cannot be written as a file; give a file in it (.pth)")
    try:
        with written_whole(path) as file:
            torch.save(content, file)
    except (OSError, RuntimeError) as error:
        reason = _system_error(error)
        if reason is None:
            raise
        raise CheckpointError(
            f"{path}: cannot be written ({reason.strerror}); older checkpoints are as they were: make room, or let the "
            "folder be written, and resume"
        ) from error


def as_plain(value: Any, place: str = "") -> Any:
    """Makes plain values of NumPy's numbers and arrays and of subclasses of text and numbers.

    Args:
        value: tensors, text, numbers, ``None``, and dicts, lists and tuples of them.
        place: where it is, for the message.

    Raises:
        CheckpointError: something else, which would need code to be read again.
    """
    if value is None or isinstance(value, (torch.Tensor, torch.dtype, torch.device, bytes)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return torch.from_numpy(value.copy())
    if isinstance(value, torch.Size):
        return tuple(value)
    kinds: tuple[Any, ...] = (bool, str, int, float, complex)
    for kind in kinds:
        if isinstance(value, kind):
            return value if type(value) is kind else kind(value)
    if isinstance(value, Mapping):
        items = ((as_plain(key, place), as_plain(item, f"{place}/{key}")) for key, item in value.items())
        if not hasattr(value, "_metadata"):
            return dict(items)
        state = OrderedDict(items)  # a module's: versions of its layers, by which they read older files
        state._metadata = as_plain(value._metadata, place)  # type: ignore[attr-defined]
        return state
    if isinstance(value, (list, tuple)):
        parts = [as_plain(item, f"{place}/{number}") for number, item in enumerate(value)]
        return parts if isinstance(value, list) else tuple(parts)
    raise CheckpointError(
        f"{place.lstrip('/') or 'the content'} is a {type(value).__name__}: a checkpoint holds tensors, numbers, text, "
        "and dicts, lists and tuples of them, so that no code has to be run to read it"
    )


def _system_error(error: BaseException | None) -> OSError | None:
    """What the system said; torch hides it behind an error of its own."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


@contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Gives a file beside a path's place, which is renamed into it when the block ends well.

    Args:
        path: the file; its folder is made when missing.

    Raises:
        OSError: it cannot be written, the disk is full say; the error names it, and what was there is as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(partial_name(path.name))
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        if error.filename in (None, str(partial)):
            error.filename = str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)


def partial_name(name: str) -> str:
    """The name of a file that is being written, which nobody can guess and put a link in its place.

    It is no longer than a system allows, where the file's own just fits: of that only the beginning is in it.
    """
    return f".{name[:_BEGINNING]}.{secrets.token_hex(8)}.partial"


def remove_partials(folder: str | os.PathLike[str]) -> None:
    """Removes the files that a killed run left half written; nothing else has their suffix."""
    for partial in Path(folder).glob(".*.partial"):
        partial.unlink(missing_ok=True)


_LOCKS: set[int] = set()


def _release_in_child() -> None:
    """Lets no child process, a data worker say, hold the locks of a parent that has died."""
    for place in _LOCKS:
        os.close(place)
    _LOCKS.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_in_child)


@contextmanager
def locked(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Keeps a folder to this process while the block runs; the system gives it free when the process ends.

    Args:
        folder: made when missing, with its parents, and removed again when it stays empty.

    Raises:
        ConfigError: another process works in it.
    """
    made = [path for path in (Path(folder), *Path(folder).parents) if not path.exists()]
    Path(folder).mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":  # no such locks
        yield
        return
    place = os.open(folder, os.O_RDONLY)
    _LOCKS.add(place)
    try:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"{folder}: another run is training there: wait for its end, or give another") from None
        yield
    finally:
        _LOCKS.discard(place)
        os.close(place)
        with suppress(OSError):  # something is in it
            for path in made:
                path.rmdir()


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads a checkpoint onto the CPU, always with ``weights_only=True``; its checksums are verified.

    Single numbers of NumPy in it come back as plain ones.

    Args:
        path: the file.

    Returns:
        Its content.

    Raises:
        CheckpointError: no such file, damaged, not a checkpoint, or with code in it.
    """
    try:
        with open(path, "rb") as file:
            _verify(path, file)
            content = _content(file)
    except CheckpointError:
        raise
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file; give a checkpoint (.pth)") from None
    except IsADirectoryError:
        raise CheckpointError(f"{path}: is a folder; give a checkpoint (.pth) in it") from None
    except pickle.UnpicklingError:
        raise CheckpointError(
            f"{path}: not a file of plain tensors: it is damaged, or holds code, which is never run"
        ) from None
    except Exception as error:  # damaged files make torch raise nearly anything
        raise CheckpointError(f"{path}: damaged or not a checkpoint ({type(error).__name__})") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: holds a {type(content).__name__}: expected a checkpoint")
    return content


def _content(file: BinaryIO) -> dict[str, Any]:
    begin = file.tell()
    try:
        content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        if not hasattr(torch.serialization, "safe_globals"):  # torch 2.4
            raise
        file.seek(begin)
        with torch.serialization.safe_globals(STAND_INS):
            content = torch.load(file, map_location="cpu", weights_only=True)
    return content


def _verify(path: str | os.PathLike[str], file: BinaryIO) -> None:
    """Checks the sums of every part, which torch writes and does not read; it packs nothing, so nothing may unpack."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            packed = [part for part in archive.infolist() if part.compress_type != zipfile.ZIP_STORED]
            if packed:
                raise CheckpointError(f"{path}: not written by torch: {packed[0].filename!r} in it is compressed")
            wrong = archive.testzip()
        if wrong is not None:
            raise CheckpointError(f"{path}: damaged: the checksum of {wrong!r} in it is wrong")
    file.seek(0)


def random_state() -> dict[str, Any]:
    """Reads the state of torch's (CPU and CUDA), NumPy's and Python's generators, as plain values."""
    name, keys, position, has_gauss, gauss = np.random.get_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else []
    return {
        "torch": torch.get_rng_state(),
        "cuda": list(cuda),
        "numpy": [name, torch.from_numpy(np.asarray(keys, dtype=np.int64)), position, has_gauss, gauss],
        "python": random.getstate(),
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """Sets every generator to what :func:`random_state` read."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    name, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, gauss))
    version, internal, following = state["python"]
    random.setstate((version, tuple(internal), following))
