"""A function of items, computed by threads ahead of whoever takes its results, in order and in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
_FEWEST = 2  # the one that is taken next, and one more


def mapped_ahead(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    weight: Callable[[Item], int],
    room: int,
) -> Generator[Result, None, None]:
    """Gives ``function(item)`` of every item, while threads work on the next ones.

    Args:
        function: what the threads call; it should let others run, as reading and writing of files do.
        items: taken in the caller's thread, one by one, as there is room.
        workers: threads.
        weight: of an item, in any unit.
        room: the largest weight of the items that are begun and not yet taken, but two of them in any case.

    Yields:
        The results in order.

    Raises:
        Exception: what a call raises, when its result is due, or what the items raise, after the results before; calls
            that run by then come to their end.
    """
    pool = ThreadPoolExecutor(workers)
    begun: deque[tuple[int, Future[Result]]] = deque()
    held, coming, failed = 0, iter(items), None
    try:
        while True:
            try:
                item = next(coming)
            except StopIteration:
                break
            except Exception as error:
                failed = error
                break
            own = weight(item)
            while len(begun) >= _FEWEST and held + own > room:
                held -= begun[0][0]
                yield begun.popleft()[1].result()
            begun.append((own, pool.submit(function, item)))
            held += own
        while begun:
            yield begun.popleft()[1].result()
        if failed is not None:
            raise failed
    finally:
        pool.shutdown(cancel_futures=True)
