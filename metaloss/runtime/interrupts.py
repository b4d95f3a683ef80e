"""Signals that end a command: one line, a status of its own, and nothing half done."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Interrupted(SystemExit):
    """Says that a signal has ended a run whose state is saved; Python then ends with status 128 + the signal.

    Args:
        number: of the signal: 15 (SIGTERM, status 143), 2 (SIGINT, status 130).
        words: one line on where the run stopped, and how it goes on.
    """

    def __init__(self, number: int, words: str) -> None:
        super().__init__(128 + number)
        self.number, self.words = number, words

    def __str__(self) -> str:
        return f"{signal.Signals(self.number).name}: {self.words}"


@contextmanager
def terminable() -> Iterator[None]:
    """Lets SIGTERM end the block as Ctrl-C would, where nothing has to be saved, and with one line.

    Raises:
        Interrupted: SIGTERM has arrived.
    """
    own = os.getpid()

    def end(number: int, frame: Any) -> None:
        if os.getpid() != own:  # a copy of this process, a data worker say, ends without a word
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        met = Interrupted(number, "stopped; what was saved is whole")
        print(met, file=sys.stderr, flush=True)
        raise met

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Lets Ctrl-C wait for the end of the block. Processes that begin in it never hear of one: their parent ends them.

    Where the system has no such masks, on Windows, it acts as ever.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
