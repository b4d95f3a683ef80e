"""The cost of the meta-gradient: time, memory and exactness against other ways of taking it.

    python -m benchmarks.meta_gradient [--size 128 160] [--batch 2] [--threads N] [--repeats 3] [--out FOLDER]

Writes ``meta_gradient.md``, ``.json`` and ``.png``. Uses the GPU where there is one. The peers are
measured where ``make bench`` has installed them. ``--quick`` runs everything on small images, and
``--sections`` some of it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import sections
from benchmarks.interleaved import Bench
from benchmarks.measure import describe_machine
from benchmarks.plan import Plan
from benchmarks.problem import device
from benchmarks.report import write
from benchmarks.sections import Table
from benchmarks.targets import targets_table

SECTIONS = ("exact", "main", "size", "steps", "sources", "networks", "whole", "options")
Figures = dict[str, dict[str, float]]


def tables(bench: Bench, plan: Plan, wanted: list[str], networks: Figures) -> Iterator[Table]:
    """Measures the wanted sections one after the other; the networks' figures go into ``networks``."""
    if "exact" in wanted:
        yield sections.exactness(bench, plan)
    if "main" in wanted:
        for size in plan.sizes:
            yield sections.main_table(bench, plan, size)
    for what in ("size", "steps", "sources"):
        if what in wanted:
            yield sections.growth(bench, plan, what)
    if "networks" in wanted:
        networks |= sections.network_figures(plan)
        yield sections.network_table(networks, plan)
    if "whole" in wanted:
        for size in plan.sizes:
            yield sections.fusion_and_meta_steps(bench, plan, size)
    if "options" in wanted:
        yield sections.learner_options(bench, plan)
        yield sections.block_wise(bench, plan)


def run(plan: Plan, out: Path, wanted: list[str], command: str) -> list[Path]:
    """Measures, prints and writes.

    Returns:
        The files written.
    """
    start = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - start:6.0f} s] {line}", flush=True)

    machine, networks = describe_machine(device(), plan.threads), Figures()
    say(machine)
    with tempfile.TemporaryDirectory() as folder:
        bench, measured = Bench(Path(folder), say), []
        for table in tables(bench, plan, wanted, networks):
            measured.append(table)
            # after every table: a run that is stopped leaves what it has measured
            targets = targets_table(bench, plan, networks)
            written = write(out, machine, command, plan, bench, networks, [targets, *measured])
    print(f"\n{written[0].read_text()}")
    say(f"written: {', '.join(map(str, written))}")
    return written


def main(arguments: list[str] | None = None) -> None:
    """Reads the command line."""
    default = Plan()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs="+", default=default.sizes, help="of the main tables")
    parser.add_argument("--batch", type=int, default=default.batch)
    parser.add_argument("--threads", type=int, default=default.threads)
    parser.add_argument("--repeats", type=int, default=default.repeats)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--quick", action="store_true", help="small images: to see that all of it works")
    parser.add_argument("--out", type=Path, default=Path("work_dirs/bench"))
    given = parser.parse_args(arguments)
    plan = Plan(
        sizes=tuple(given.size),
        batch=given.batch,
        threads=given.threads,
        repeats=given.repeats,
        # a GPU takes them in no time, and single ones vary
        growth_repeats=given.repeats if device().type == "cuda" else default.growth_repeats,
    )
    command = (
        f"python -m benchmarks.meta_gradient --size {' '.join(map(str, given.size))} --batch {given.batch} "
        f"--threads {given.threads} --repeats {given.repeats}{' --quick' if given.quick else ''}"
    )
    if tuple(given.sections) != SECTIONS:
        command += f" --sections {' '.join(given.sections)}"
    run(plan.quick() if given.quick else plan, given.out, list(given.sections), command)


if __name__ == "__main__":
    main()
