"""A data loader whose workers' errors arrive as they were raised."""

from __future__ import annotations

import atexit
import os
import pickle
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import active_children
from multiprocessing.process import BaseProcess
from typing import Any
from weakref import WeakKeyDictionary

from torch.utils.data import DataLoader, Dataset, get_worker_info


class WorkerTraceback(Exception):
    """Where in a worker an error was raised: the cause of the error that arrives."""


class Loader(DataLoader[Any]):
    """A ``DataLoader`` that does not put a worker's traceback into the words of its error.

    The error that a data set raises is raised again as it was, with the worker's traceback as its cause; one that
    cannot be sent from one process to another is a ``RuntimeError`` with its name and words.

    Args:
        dataset: items by number.
        collate_fn: makes a batch of a list of items.
        options: of ``torch.utils.data.DataLoader``.
    """

    def __init__(self, dataset: Dataset[Any], *, collate_fn: Callable[[list[Any]], Any], **options: Any) -> None:
        super().__init__(_Items(dataset), collate_fn=_Batches(collate_fn), worker_init_fn=_stay, **options)

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Gives the batches.

        Raises:
            Exception: what the data set raised.
        """
        others = set(active_children())
        batches = super().__iter__()
        _workers.update({worker: os.getpid() for worker in active_children() if worker not in others})
        failure = None
        for batch in batches:
            if isinstance(batch, _Failure):
                failure = batch
                break
            yield batch
        # Not held by the error's traceback: as garbage in a cycle, it would lose its queues before it ends its workers.
        del batches
        if failure is not None:
            raise failure.error from WorkerTraceback(f"\n{failure.trace}")


def _stay(number: int) -> None:
    """Leaves signals that reach the whole group of processes to the training, which ends its workers itself."""
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, signal.SIG_IGN)


_workers: WeakKeyDictionary[BaseProcess, int] = WeakKeyDictionary()  # and the process that started them


@atexit.register
def _end_workers() -> None:
    """Ends workers whose loader is still held, by an error's traceback say, when Python ends.

    It would send them SIGTERM, and wait for ever.
    """
    for worker, owner in list(_workers.items()):
        if owner == os.getpid() and worker.is_alive():
            worker.kill()


@dataclass(frozen=True)
class _Failure:
    error: Exception
    trace: str


class _Items(Dataset[Any]):
    def __init__(self, dataset: Dataset[Any]) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, index: Any) -> Any:
        return _kept(self.dataset.__getitem__, index)


class _Batches:
    def __init__(self, collate: Callable[[list[Any]], Any]) -> None:
        self.collate = collate

    def __call__(self, items: Sequence[Any]) -> Any:
        failure = next((item for item in items if isinstance(item, _Failure)), None)
        return _kept(self.collate, items) if failure is None else failure


def _kept(function: Callable[[Any], Any], argument: Any) -> Any:
    """Calls a function; in a worker an error is given back."""
    try:
        return function(argument)
    except Exception as error:
        if get_worker_info() is None:
            raise
        sent = error if _travels(error) else RuntimeError(f"{type(error).__name__}: {error}")
        return _Failure(sent, traceback.format_exc())


def _travels(error: Exception) -> bool:
    try:
        return type(pickle.loads(pickle.dumps(error))) is type(error)
    except Exception:
        return False
