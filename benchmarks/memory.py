"""Peak memory and time of one step, above what was held before it, each in a process of its own.

    python benchmarks/memory.py [--size 160] [--batch 2] [--threads 1]

Compares a meta step by each hypergradient method with a plain fusion + task step (ReFusionNet,
LossGenerator, a small segmentation network) and prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import torch
from torch import nn

import metaloss
from metaloss.networks import LossGenerator, ReFusionNet

STEPS = ("plain", "forward", "reverse", "finite_difference")


def make_learner(method: str) -> metaloss.MetaLearner:
    """The reference networks, with a small segmentation network as the task."""
    torch.manual_seed(0)
    task = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 4, 3, padding=1))
    return metaloss.MetaLearner(
        fusion=ReFusionNet(),
        loss=metaloss.LearnableFusionLoss(LossGenerator()),
        task=metaloss.ModuleTask(task, nn.functional.cross_entropy),
        hypergradient="forward" if method == "plain" else method,
    )


def make_batch(size: int, batch: int, seed: int) -> metaloss.FusionBatch:
    """Random images and class ids."""
    generator = torch.Generator().manual_seed(seed)
    sources = tuple(torch.rand(batch, 1, size, size, generator=generator) for _ in range(2))
    return metaloss.FusionBatch(sources, torch.randint(0, 4, (batch, size, size), generator=generator))


class PeakMemory:
    """The highest resident memory of this process inside a block, in MB above the start."""

    def __enter__(self) -> PeakMemory:
        self.start = self.peak = _resident()
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self) -> None:
        while not self.done.wait(0.002):
            self.peak = max(self.peak, _resident())

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()
        # the kernel's own high-water mark misses nothing between two looks; it counts from the process's start
        self.peak = max(self.peak, min(_high_water(), 1e9) if _high_water() > self.start else self.peak)
        self.above = self.peak - self.start


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _high_water() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(method: str, size: int, batch: int, threads: int, repeats: int) -> dict[str, float]:
    """Runs one kind of step in this process."""
    torch.set_num_threads(threads)
    learner = make_learner(method)
    train, test = make_batch(size, batch, 0), make_batch(size, batch, 1)
    small = make_batch(32, batch, 2)

    def step(first: metaloss.FusionBatch, second: metaloss.FusionBatch) -> None:
        if method == "plain":
            learner.fusion_step(first)
        else:
            learner.meta_step(first, second)

    step(small, small)  # optimizer states and libraries are held before the step that counts
    with PeakMemory() as memory:
        step(train, test)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step(train, test)
        times.append(time.perf_counter() - start)
    return {"memory": memory.above, "time": sorted(times)[len(times) // 2]}


def compare(
    size: int, batch: int, threads: int, repeats: int = 3, steps: tuple[str, ...] = STEPS
) -> dict[str, dict[str, float]]:
    """Measures every kind of step, each in a process of its own."""
    results = {}
    for method in steps:
        options = ["--one", method, "--size", size, "--batch", batch, "--threads", threads, "--repeats", repeats]
        command = [sys.executable, __file__, *map(str, options)]
        results[method] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return results


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.size, options.batch, options.threads, options.repeats)))
        return
    results = compare(options.size, options.batch, options.threads, options.repeats)
    print(f"ReFusionNet, batch {options.batch}, {options.size}x{options.size}, {options.threads} thread(s), CPU\n")
    print("| step | peak memory (MB above the start) | of plain | of reverse | seconds |\n|---|---|---|---|---|")
    for method, result in results.items():
        label = "fusion + task step" if method == "plain" else f"meta step, `{method}`"
        plain, reverse = (result["memory"] / results[other]["memory"] for other in ("plain", "reverse"))
        print(f"| {label} | {result['memory']:.0f} | {plain:.2f} | {reverse:.2f} | {result['time']:.2f} |")


if __name__ == "__main__":
    main()
