"""Signals that end a run between two steps, and not within one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from metaloss.runtime.processes import largest_of_all, world_size

ENDING = (signal.SIGTERM, signal.SIGINT)


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
