"""Peak memory and time of a block, on the processor or the GPU, and what machine that was."""

from __future__ import annotations

import ctypes
import gc
import math
import os
import platform
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import torch

MB = 2**20
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
_BLOCK = 16  # MB, below the threshold from which on a buffer is no part of the heap


class PeakMemory:
    """The highest memory inside a block above what was held before it, in MB.

    On the processor the resident memory of this process, see :func:`map_buffers`; on a GPU what torch
    has allocated there. Where the kernel's high-water mark cannot be set back, a thread looks every two milliseconds.

    Attributes:
        above: the peak above the start, MB, once the block has ended.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.above = 0.0

    def __enter__(self) -> PeakMemory:
        gc.collect()
        self.done, self.thread, self.sampled = threading.Event(), None, 0.0
        if self.device.type == "cuda":
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            self.start = torch.cuda.memory_allocated() / MB
        else:
            if not _reset_high_water():
                self.thread = threading.Thread(target=self._watch)
                self.thread.start()
            self.start = _status("VmRSS")
        return self

    def _watch(self) -> None:
        while not self.done.wait(0.002):
            self.sampled = max(self.sampled, _status("VmRSS"))

    def __exit__(self, *_: object) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
            peak = torch.cuda.max_memory_allocated() / MB
        elif self.thread is None:
            peak = _status("VmHWM")
        else:
            self.done.set()
            self.thread.join()
            peak = self.sampled
        self.above = max(peak - self.start, 0.0)


def _status(entry: str) -> float:
    return int(re.search(rf"{entry}:\s+(\d+)", _STATUS.read_text())[1]) / 1024


def _reset_high_water() -> bool:
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return True


def map_buffers() -> None:
    """Lets glibc take every larger buffer from the kernel and give it back, from the start of a process on.

    The resident memory is then what the buffers take, as torch counts it on a GPU. Otherwise holes in the
    heap, up to as much again, would count, and the buffers that fill older holes would not.
    """
    _set_malloc(_MMAP_THRESHOLD, 2**16)


def keep_buffers() -> None:
    """Lets glibc keep all freed buffers for the next.

    By itself it gives the end of its heap back when that is free, and takes it again page by page, for up to half of a
    step's time: how often depends on what happens to lie there, in each process anew, and says nothing about the step.
    See :func:`fill_heap`.
    """
    _set_malloc(_MMAP_THRESHOLD, 2**25)
    _set_malloc(_TRIM_THRESHOLD, 2**31 - 1)


def _set_malloc(parameter: int, size: int) -> None:
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if set_option is not None:
        set_option(parameter, size)


def fill_heap(size: float) -> None:
    """Takes memory from the kernel beforehand, so that the next step does not wait for its pages.

    Args:
        size: MB; on a GPU, whose allocator keeps everything by itself, it is not needed.
    """
    blocks = [torch.empty(_BLOCK * MB, dtype=torch.uint8).zero_() for _ in range(math.ceil(size / _BLOCK))]
    blocks.clear()


def release_heap() -> None:
    """Gives freed memory back to the kernel, where the C library can: taken again, it would not be seen."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        gc.collect()
        trim(0)


def seconds(step: Callable[[], object], device: torch.device) -> float:
    """The time of one call.

    With one thread on the processor, the processor's time: it does not count what other processes
    do. Otherwise the clock's, with the GPU's work waited for.
    """
    gc.collect()
    clock = time.process_time if device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = clock()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - start


def available_memory(device: torch.device) -> float:
    """The memory that a measurement may still take, MB."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info()[0] / MB
    return int(re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) / 1024


def describe_machine(device: torch.device, threads: int) -> str:
    """One line: what was measured on."""
    if device.type == "cuda":
        hardware = f"{torch.cuda.get_device_name()} (GPU), CUDA {torch.version.cuda}"
    else:
        hardware = f"{_processor()} (CPU), {threads} of {os.cpu_count()} threads"
    return f"{hardware}, torch {torch.__version__}, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"


def _processor() -> str:
    try:
        return re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())[1]
    except (OSError, TypeError):
        return platform.processor() or platform.machine()
