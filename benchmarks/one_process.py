"""Steps as a training takes them: in turn, in one process that is left as it starts.

    python -m benchmarks.one_process ["fusion step" "meta step, image"] [--size 128 160] [--batch 2] [--threads N]
        [--repeats 11]

In ``benchmarks.meta_gradient`` each way has a process of its own, which has taken the memory that the step will need
and keeps it. Here the ways (any of ``benchmarks.ways`` but the peers') share one, whose C library gives freed memory
back and takes it again as it likes: what a user's program sees. Prints a table for each size: medians, and ratios to
the first, taken round by round.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

import torch

from benchmarks.interleaved import Result
from benchmarks.measure import describe_machine, seconds
from benchmarks.problem import Case, device
from benchmarks.ways import PEERS, WAYS, make_step
from metaloss.report.tables import markdown

TRAINING = ["fusion step", "meta step, image"]
OURS = [way for way in WAYS if way not in PEERS]


def measured(cases: Sequence[Case], repeats: int) -> dict[str, Result]:
    """Times each step, in turn, after a first one of each that does not count."""
    steps = {case.way: make_step(case) for case in cases}
    found = {way: Result() for way in steps}
    for round_ in range(repeats + 1):
        for way, step in steps.items():
            time = seconds(step, device())
            found[way].times += [time] if round_ else []
    return found


def table(found: dict[str, Result]) -> str:
    """Seconds, and times the first."""
    first = next(iter(found))
    rows = [["step", "seconds", f"of {first}"]]
    rows += [[way, f"{result.time:.2f}", f"{result.over(found[first]):.2f}"] for way, result in found.items()]
    return markdown(rows)


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ways", nargs="*", default=TRAINING, metavar="WAY", help=f"of: {', '.join(OURS)}")
    parser.add_argument("--size", type=int, nargs="+", default=[128, 160], help="height and width, pixels")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=11)
    given = parser.parse_args(arguments)
    for way in given.ways:
        if way not in OURS:
            parser.error(f"{way!r}: expected one of {', '.join(OURS)}")
    torch.set_num_threads(given.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    print(describe_machine(device(), given.threads))
    for size in given.size:
        cases = [Case(way=way, size=size, batch=given.batch, threads=given.threads) for way in given.ways]
        print(f"\n{size}x{size}, batch {given.batch}, K = 1, float32:\n")
        print(table(measured(cases, given.repeats)))


if __name__ == "__main__":
    main()
