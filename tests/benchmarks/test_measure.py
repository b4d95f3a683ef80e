import mmap
import platform
import subprocess
import sys
import time

import pytest
import torch

from benchmarks import measure

CPU = torch.device("cpu")


@pytest.mark.parametrize("resets", [True, False])
def test_peak_memory_sees_what_is_freed_again(resets, monkeypatch):
    if not resets:
        monkeypatch.setattr(measure, "_reset_high_water", lambda: False)
    for megabytes in (256, 64):  # the second peak is below the first: each block has its own
        # from the kernel itself: an allocator may hand out what it has kept from earlier
        with measure.PeakMemory(CPU) as peak, mmap.mmap(-1, megabytes * 2**20) as held:
            for page in range(0, len(held), mmap.PAGESIZE):
                held[page] = 1
            time.sleep(0.1)  # a peak that lasts: where a thread looks, it needs its turn
        assert megabytes * 0.9 < peak.above < megabytes * 3


def test_describes_the_machine():
    line = measure.describe_machine(CPU, 1)
    assert "(CPU), 1 of" in line
    assert f"torch {torch.__version__}" in line


@pytest.mark.slow
def test_a_released_heap_is_seen_to_be_taken_again():
    """Thousands of small tensors lie on the heap, which the C library keeps when they are freed."""

    def take():
        return [torch.zeros(4096) for _ in range(4000)]

    take()
    measure.release_heap()
    with measure.PeakMemory(CPU) as peak:
        take()
    assert peak.above > 40


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such setting")
def test_mapped_buffers_leave_no_holes():
    """Between small tensors that stay, the heap keeps the place of every larger one that is freed."""
    script = """
import torch
from benchmarks import measure
measure.{}()
with measure.PeakMemory(torch.device("cpu")) as peak:
    stays = []
    for size in range(1, 100):
        freed = torch.zeros(size * 2**14)
        stays += [torch.zeros(2**12), freed[:0].clone()]
        del freed
print(peak.above)
"""
    mapped, kept = (
        float(subprocess.check_output([sys.executable, "-c", script.format(way)]))
        for way in ("map_buffers", "keep_buffers")
    )
    assert mapped < 20 < 2 * mapped < kept


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such setting")
def test_a_filled_heap_has_the_pages_of_the_next_step():
    script = """
import resource
import torch
from benchmarks import measure
measure.keep_buffers()
measure.fill_heap({})
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
held = [torch.zeros(2**18) for _ in range(48)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    empty, filled = (int(subprocess.check_output([sys.executable, "-c", script.format(size)])) for size in ("0", "64"))
    assert filled < 1000 < 10000 < empty
