"""The steps of ``benchmarks.meta_gradient`` as a training takes them: in turn, in one process left as it starts.

    python -m benchmarks.one_process [--size 128 160] [--batch 2] [--threads N] [--repeats 7]

There each way has a process of its own, which has taken the memory that the step will need and keeps it. Here they
share one, and its C library gives freed memory back and takes it again as it likes: what a user's program sees. Prints
a table for each size: medians, and ratios taken round by round.
"""

from __future__ import annotations

import argparse
import os

import torch

from benchmarks.interleaved import Result
from benchmarks.measure import describe_machine, seconds
from benchmarks.problem import Case, device
from benchmarks.ways import make_step
from metaloss.report.tables import markdown

PUBLISHED, FUSION = "published", "fusion step"
STEPS = (PUBLISHED, "forward", "image", FUSION, "meta step, forward", "meta step, image")


def measured(case: Case, repeats: int) -> dict[str, Result]:
    """Times each step, in turn, after a first one of each that does not count."""
    steps = {way: make_step(Case(way=way, size=case.size, batch=case.batch, threads=case.threads)) for way in STEPS}
    found = {way: Result() for way in steps}
    for round_ in range(repeats + 1):
        for way, step in steps.items():
            time = seconds(step, device())
            found[way].times += [time] if round_ else []
    return found


def table(found: dict[str, Result]) -> str:
    """Seconds, and times the published way and a fusion step."""
    rows = [["step", "seconds", "of published", "of a fusion step"]]
    for way, result in found.items():
        ratios = (f"{result.over(found[base]):.2f}" for base in (PUBLISHED, FUSION))
        rows.append([way, f"{result.time:.2f}", *ratios])
    return markdown(rows)


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs="+", default=[128, 160], help="height and width, pixels")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    print(describe_machine(device(), given.threads))
    for size in given.size:
        case = Case(way=PUBLISHED, size=size, batch=given.batch, threads=given.threads)
        print(f"\n{size}x{size}, batch {given.batch}, K = 1, float32:\n")
        print(table(measured(case, given.repeats)))


if __name__ == "__main__":
    main()
