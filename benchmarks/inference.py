"""Forward time and peak memory of the fusion network, ours against straightforward, plain and compiled.

    python -m benchmarks.inference [--size 240x320 480x640 768x1024] [--threads N] [--repeats 5] [--out FOLDER]

Times are taken in turn in one process (A, B, C, A, B, C, ...), medians; memory in a process of its own for
each row. Writes ``inference.md`` and ``inference.json``. Compilation is left out of time and memory.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks import straightforward
from benchmarks.interleaved import ROOT, environment
from benchmarks.measure import PeakMemory, describe_machine, map_buffers, seconds
from benchmarks.problem import device
from benchmarks.report import render, row
from benchmarks.sections import Table
from metaloss.inference.compiled import Compiled
from metaloss.networks import ReFusionNet

WAYS = ("straightforward", "ours", "ours, compiled")
SIZES = ("240x320", "480x640", "768x1024")
TARGETS = {"ours": 2.5, "ours, compiled": 4.0}
TARGET_SIZE, TOLERANCE = "480x640", 1e-4
Row = dict[str, float]


def make(way: str) -> nn.Module:
    """Builds a network; all ways have the same weights."""
    torch.manual_seed(0)
    network = ReFusionNet().eval().to(device())
    if way == "straightforward":
        return straightforward.like(network).eval()
    return Compiled(network) if way == "ours, compiled" else network


def forward(network: nn.Module, size: str) -> Callable[[], Tensor]:
    """Inference on two images of a size, ``480x640`` say: height x width."""
    generator = torch.Generator().manual_seed(1)
    height, width = map(int, size.split("x"))
    sources = [torch.rand(1, 1, height, width, generator=generator).to(device()) for _ in range(2)]

    def run() -> Tensor:
        with torch.no_grad():
            return network(*sources)

    return run


def times(size: str, ways: tuple[str, ...], repeats: int) -> dict[str, Row]:
    """Times all ways in turn, and compares their outputs with the first way's."""
    runs = {way: forward(make(way), size) for way in ways}
    outputs = {way: run() for way, run in runs.items()}
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way, run in runs.items():
            taken[way].append(seconds(run, device()))
    return {
        way: {
            "seconds": statistics.median(values),
            "difference": (outputs[way] - outputs[ways[0]]).abs().max().item(),
        }
        for way, values in taken.items()
    }


def memory(size: str, way: str) -> Row:
    """The peak above what the process held before, in the first pass at that size; MB."""
    network = make(way)
    compiled = way == "ours, compiled"
    forward(network, size if compiled else "32x32")()  # libraries are loaded, or the size is compiled, by then
    run = forward(network, size)
    with PeakMemory(device()) as peak:
        run()
    return {"memory_mb": peak.above}


def in_a_process(arguments: list[str], threads: int) -> dict[str, float]:
    """Runs a part of this file in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.inference", "--threads", str(threads), *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(threads, peer=False), stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def table(figures: dict[str, dict[str, Row]]) -> Table:
    """All sizes and ways."""
    header = ("height x width", "network", "forward, s", "times faster", "peak memory, MB", "of it", "output")
    shown = Table("ReFusionNet, one pair, float32", header)
    for size, rows in figures.items():
        base = rows[WAYS[0]]
        for way, figure in rows.items():
            shown.rows.append(
                (
                    size,
                    way,
                    f"{figure['seconds']:.3f}",
                    f"{base['seconds'] / figure['seconds']:.2f}",
                    f"{figure['memory_mb']:.0f}",
                    f"{figure['memory_mb'] / base['memory_mb']:.2f}",
                    f"{figure['difference']:.0e}",
                )
            )
    shown.notes += [
        "Peak memory: of the process above what it held before the pass, without holes in the heap; `of it`: over "
        "straightforward.",
        "Output: the largest difference from straightforward.",
    ]
    return shown


def targets(figures: dict[str, dict[str, Row]]) -> Table:
    """What the figures are held against: printed, not asserted."""
    shown = Table("Targets", ("target", "at least", "measured", ""))
    rows = figures.get(TARGET_SIZE, {})
    for way, least in TARGETS.items():
        if way in rows:
            faster = rows[WAYS[0]]["seconds"] / rows[way]["seconds"]
            equal = rows[way]["difference"] <= TOLERANCE
            verdict = "met" if faster >= least and equal else "**not met**"
            shown.rows.append(
                (f"{way}: times faster than straightforward, {TARGET_SIZE}", f"{least}", f"{faster:.2f}", verdict)
            )
    return shown


def main(arguments: list[str] | None = None) -> None:
    """Measures, prints and writes; with ``--part`` measures one thing and prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", nargs="+", default=SIZES)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("work_dirs/bench"))
    parser.add_argument("--part", choices=("times", "memory"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    ways = tuple(dict.fromkeys([WAYS[0], *given.ways]))
    if given.part == "times":
        print(json.dumps(times(given.size[0], ways, given.repeats)))
        return
    if given.part == "memory":
        map_buffers()
        print(json.dumps(memory(given.size[0], given.ways[0])))
        return
    machine = describe_machine(device(), given.threads)
    print(machine, flush=True)
    figures: dict[str, dict[str, Row]] = {}
    for size in given.size:
        options = ["--part", "times", "--size", size, "--ways", *ways, "--repeats", str(given.repeats)]
        figures[size] = in_a_process(options, given.threads)
        for way in ways:
            figures[size][way] |= in_a_process(["--part", "memory", "--size", size, "--ways", way], given.threads)
            print(f"{size}, {way}: {row([f'{value:.3g}' for value in figures[size][way].values()])}", flush=True)
    command = (
        f"python -m benchmarks.inference --size {' '.join(given.size)} --threads {given.threads} "
        f"--repeats {given.repeats}"
    )
    given.out.mkdir(parents=True, exist_ok=True)
    report = "\n".join(
        [
            f"# The fusion network's inference\n\nMeasured on {machine}.\nCommand: `{command}`\n",
            render(targets(figures)),
            render(table(figures)),
        ]
    )
    (given.out / "inference.md").write_text(report)
    (given.out / "inference.json").write_text(json.dumps({"machine": machine, "figures": figures}, indent=1))
    print(f"\n{report}\nwritten: {given.out}/inference.md, {given.out}/inference.json")


if __name__ == "__main__":
    main()
