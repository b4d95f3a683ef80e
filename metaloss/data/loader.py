"""A data loader whose workers' errors arrive as they were raised."""

from __future__ import annotations

import pickle
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch.utils.data import DataLoader, Dataset, get_worker_info


class WorkerTraceback(Exception):
    """Where in a worker an error was raised: the cause of the error that arrives."""


class Loader(DataLoader[Any]):
    """A ``DataLoader`` that does not put a worker's traceback into the words of its error.

    The error that a data set raises is raised again as it was, with the worker's traceback as its cause.

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
        batches = super().__iter__()
        try:
            for batch in batches:
                if isinstance(batch, _Failure):
                    raise batch.error from WorkerTraceback(f"\n{batch.trace}")
                yield batch
        finally:
            # an error's traceback may keep the iterator alive, and workers that wait for it the whole program
            if self.num_workers and not self.persistent_workers:
                batches._shutdown_workers()  # type: ignore[attr-defined]


def _stay(number: int) -> None:
    """Leaves signals that reach the whole group of processes to the training, which ends its workers itself."""
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, signal.SIG_IGN)


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
    """Calls a function; in a worker an error is given back, where it can travel."""
    try:
        return function(argument)
    except Exception as error:
        if get_worker_info() is None or not _travels(error):
            raise
        return _Failure(error, traceback.format_exc())


def _travels(error: Exception) -> bool:
    try:
        return type(pickle.loads(pickle.dumps(error))) is type(error)
    except Exception:
        return False
