"""Signals that end a run between two steps, and not within one."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from metaloss.runtime.processes import largest_of_all, world_size

ENDING = (signal.SIGTERM, signal.SIGINT)


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


class StopRequest:
    """Whether a signal has asked the run to end.

    Attributes:
        number: of the signal, or 0.
    """

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, number: int, frame: Any = None) -> None:
        """Takes a signal; a second Ctrl-C does not wait for the end of the step."""
        if self.number and number == signal.SIGINT and world_size() == 1:
            raise KeyboardInterrupt
        self.number = self.number or number

    def everywhere(self, device: torch.device) -> int:
        """The signal that any of the processes has met, so that all of them end after the same step.

        Args:
            device: where the processes exchange tensors.
        """
        if world_size() == 1:
            return self.number
        return int(largest_of_all(torch.tensor(self.number, device=device)))


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Keeps SIGTERM and SIGINT for the one who runs the block, who looks for them between two steps.

    In a thread, where Python lets nobody handle signals, they act as ever.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request) for number in ENDING}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


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
