"""A function of numbers, computed on all cores, in order."""

from __future__ import annotations

import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch.utils.data import Dataset

from metaloss.data.loader import Loader, WorkerTraceback

Result = TypeVar("Result")
_PAYS = 256  # calls: processes take some hundredths of a second to start
_BATCH = 32  # calls that a process answers at a time
_MOST = 32  # processes or threads
_PATIENCE = 120  # seconds for a batch; then threads go on


def in_parallel(function: Callable[[int], Result], count: int) -> Iterator[Result]:
    """Gives ``function(0)`` to ``function(count - 1)``.

    Many calls are shared by processes, where the system can fork them, so that Python runs on every core; few calls,
    and all where no process can be started, by threads.

    Args:
        function: of a number; its results can be pickled, and what a call changes is not needed here.
        count: how many calls.

    Yields:
        The results in order.

    Raises:
        Exception: what a call raises.
    """
    done = 0
    if count >= _PAYS and cores() > 1 and _can_fork():
        try:
            for results in _forked(function, count):
                done += len(results)
                yield from results
            return
        except Exception as error:
            if isinstance(error.__cause__, WorkerTraceback):  # of a call; else a process was not started, or has died
                raise
    readers = ThreadPoolExecutor(min(_MOST, max(4, cores())))
    try:
        yield from readers.map(function, range(done, count))
    finally:
        readers.shutdown(cancel_futures=True)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _can_fork() -> bool:
    """Whether processes can begin as copies of this one; others would run a user's script from its top once more."""
    return sys.platform not in ("win32", "darwin") and "fork" in multiprocessing.get_all_start_methods()


def _forked(function: Callable[[int], Result], count: int) -> Iterator[list[Result]]:
    loader = Loader(
        _Calls(function, count),
        collate_fn=list,
        batch_size=_BATCH,
        num_workers=min(_MOST, cores()),
        multiprocessing_context="fork",
        timeout=_PATIENCE,
        generator=torch.Generator(),  # torch's own would be moved
    )
    batches = iter(loader)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of a fork beside threads
        first = next(batches)
    yield first
    yield from batches


class _Calls(Dataset[Any]):
    def __init__(self, function: Callable[[int], Any], count: int) -> None:
        self.function, self.count = function, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Any:
        return self.function(number)
