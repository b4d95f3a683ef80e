"""The tables of the benchmark: what is measured in each, and how it reads."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import metaloss
from benchmarks.interleaved import ROOT, Bench, Result, environment, relative_difference
from benchmarks.measure import available_memory
from benchmarks.plan import Plan
from benchmarks.problem import Case, device
from benchmarks.ways import IMAGE

LABELS = {
    "published": "published way: double backward, straightforward blocks",
    "double backward": "plain torch: double backward, our blocks",
    "torchopt": "TorchOpt 0.7.3, our blocks",
    "higher": "higher 0.2.1, our blocks",
    "reverse": "metaloss, `reverse`",
    "finite_difference": "metaloss, `finite_difference`",
    "forward": "metaloss, `forward`",
}
MAIN = {**LABELS, IMAGE: "metaloss, inner update in image space"}
BASELINE = "double backward"
OPTIONS = (
    {"memory": "low"},
    {"precision": "bf16"},
    {"precision": "fp16"},
    {"compile": True},
)


@dataclass
class Table:
    """A table of the report; ``notes`` stand under it."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def exactness(bench: Bench, plan: Plan) -> Table:
    """In float64, every way against double backward in plain torch."""
    table = Table(
        f"The same gradient: float64, {plan.exact_size}x{plan.exact_size}, against double backward in plain torch",
        ("way", *(f"relative difference, K = {k}" for k in (1, 2))),
    )
    cases = {(way, k): exact_case(plan, way, k) for way in LABELS for k in (1, 2)}
    gradients = dict(zip(cases, bench.gradients(list(cases.values())), strict=True))
    for way, label in LABELS.items():
        cells = (relative_difference(gradients[way, k], gradients[BASELINE, k]) for k in (1, 2))
        table.rows.append((label, *(f"{cell:.0e}" for cell in cells)))
    table.notes.append("`finite_difference` is approximate, the more so where F has kinks (its LeakyReLU).")
    return table


def exact_case(plan: Plan, way: str, steps: int) -> Case:
    """A case of :func:`exactness`."""
    return plan.case(way, plan.exact_size, steps=steps, dtype="float64")


def main_table(bench: Bench, plan: Plan, size: int) -> Table:
    """Every way at one size."""
    cases = [plan.case(way, size) for way in MAIN]
    (reference,) = bench.gradients([plan.case("forward", size, dtype="float64")])
    results = dict(zip(MAIN, bench.measure(cases, plan.repeats), strict=True))
    table = Table(
        f"One meta-gradient, {size}x{size}, batch {plan.batch}, K = 1, two sources, float32",
        ("way", "seconds", "of published", "of plain", "peak memory, MB", "of published", "of plain", "difference"),
    )
    for way, label in MAIN.items():
        result, bases = results[way], (results["published"], results[BASELINE])
        if result.error:
            table.rows.append((label, f"not measured: {result.error}", *[""] * 6))
            continue
        times = (f"{result.over(base):.2f}" for base in bases)
        peaks = (f"{result.memory / base.memory:.2f}" for base in bases)
        difference = "another" if way == IMAGE else f"{relative_difference(result.gradients, reference):.0e}"
        table.rows.append((label, f"{result.time:.2f}", *times, f"{result.memory:.0f}", *peaks, difference))
    table.notes += [
        "Peak memory: of the process above what it held before the step, without holes in the heap. Difference: "
        "relative, of the gradient from that of `forward` in float64 on the same batch; the exact ways differ by "
        "float32 rounding.",
        "Not in the table: learn2learn 0.2.0 does not build on Python 3.11 (its C source includes `longintrepr.h`); "
        "Betty 0.2.1 requires Python < 3.11.",
    ]
    return table


def growth(bench: Bench, plan: Plan, what: str) -> Table:
    """``forward`` against plain double backward, growing in ``"size"``, ``"steps"`` or ``"sources"``."""
    titles = {
        "size": ("image size", f"batch {plan.batch}, K = 1, two sources"),
        "steps": ("K inner steps", f"{plan.growth_size}x{plan.growth_size}, batch {plan.batch}, two sources"),
        "sources": ("number of sources", f"{plan.growth_size}x{plan.growth_size}, batch {plan.batch}, K = 1"),
    }
    name, rest = titles[what]
    table = Table(
        f"Growth with the {name}: {rest}",
        (name, "plain, s", "`forward`, s", "ratio", "plain, MB", "`forward`, MB", "ratio", "difference"),
    )
    before: Case | None = None
    for value in getattr(plan, what + "_values"):
        case = plan.growth_case(what, "forward", value)
        reason = too_large(bench, before, replace(case, way=BASELINE))
        cases = [case] if reason else [case, replace(case, way=BASELINE)]
        ours, *plain = bench.measure(cases, plan.growth_repeats)
        table.rows.append(growth_row(str(value), ours, plain[0] if plain else Result(error=reason)))
        before = case if reason else cases[1]
    return table


def growth_row(value: str, ours: Result, plain: Result) -> tuple[str, ...]:
    """A row of :func:`growth`."""
    if ours.error:
        return (value, f"not measured: {ours.error}", *[""] * 6)
    own = (f"{ours.time:.2f}", f"{ours.memory:.0f}")
    if plain.error:
        return (value, f"not measured: {plain.error}", own[0], "", "", own[1], "", "")
    difference = relative_difference(ours.gradients, plain.gradients)
    time, memory = (f"{ours.over(plain):.2f}", f"{ours.memory / plain.memory:.2f}")
    return (value, f"{plain.time:.2f}", own[0], time, f"{plain.memory:.0f}", own[1], memory, f"{difference:.0e}")


def too_large(bench: Bench, before: Case | None, case: Case) -> str:
    """Why a case is not tried, from the memory of a smaller one; an empty string if it is."""
    if before is None or case in bench.results:
        return ""
    if before.way != case.way:
        return "a smaller one was too large already"
    factor = (case.size / before.size) ** 2 * (case.steps + 1) / (before.steps + 1) * case.sources / before.sources
    needed, there = bench.results[before].memory * factor, 0.9 * available_memory(device())
    return f"would take about {needed:.0f} MB, {there:.0f} MB are free" if needed > there else ""


def fusion_and_meta_steps(bench: Bench, plan: Plan, size: int) -> Table:
    """What a meta step costs beside an ordinary training step."""
    ways = ("fusion step", "meta step, forward", "meta step, finite_difference", "meta step, image")
    results = bench.measure([plan.case(way, size) for way in ways], plan.short_repeats)
    table = Table(
        f"Whole steps with their optimizers, {size}x{size}, batch {plan.batch}",
        ("step", "seconds", "of a fusion step", "peak memory, MB", "of a fusion step"),
    )
    for way, result in zip(ways, results, strict=True):
        table.rows.append((way, *beside(result, results[0])))
    return table


def beside(result: Result, base: Result) -> tuple[str, ...]:
    """Time and memory, each with its ratio to another result's."""
    if result.error:
        return (f"not measured: {result.error}", "", "", "")
    time, memory = result.over(base), result.memory / base.memory
    return (f"{result.time:.2f}", f"{time:.2f}", f"{result.memory:.0f}", f"{memory:.2f}")


def learner_options(bench: Bench, plan: Plan) -> Table:
    """The learner's own settings, as far as it has them."""
    fast = device().type == "cuda"
    known = inspect.signature(metaloss.MetaLearner.__init__).parameters
    # a processor computes in fp16 dozens of times slower
    options = [
        values for values in OPTIONS if values.keys() <= known.keys() and (fast or "fp16" not in values.values())
    ]
    default = plan.case("forward", plan.options_size)
    cases = [replace(default, options=tuple(values.items())) for values in options]
    base, *results = bench.measure([default, *cases], plan.repeats)
    table = Table(
        f"Settings of the learner, `forward`, {plan.options_size}x{plan.options_size}, batch {plan.batch}",
        ("setting", "seconds", "of default", "peak memory, MB", "of default", "difference from default"),
        [("default", *beside(base, base), "")],
    )
    for values, result in zip(options, results, strict=True):
        label = ", ".join(f"`{name}={value!r}`" for name, value in values.items())
        difference = relative_difference(result.gradients, base.gradients)
        table.rows.append((label, *beside(result, base), "" if result.error else f"{difference:.0e}"))
    table.notes.append("Compilation is left out of time and memory.")
    return table


def block_wise(bench: Bench, plan: Plan) -> Table:
    """What keeping one block's activations at a time saves and costs, with K inner steps."""
    normal, low = (
        [plan.case("forward", plan.options_size, steps=steps, options=options) for steps in plan.steps_values[:2]]
        for options in ((), (("memory", "low"),))
    )
    table = Table(
        f"Block by block, `memory='low'`, `forward`, {plan.options_size}x{plan.options_size}, batch {plan.batch}",
        ("K", "normal, s", "low, s", "ratio", "normal, MB", "low, MB", "ratio", "low, of normal at K = 1"),
    )
    one, *_ = bench.measure(normal + low, plan.repeats)
    for case, saving in zip(normal, low, strict=True):
        plain, found = bench.results[case], bench.results[saving]
        if plain.error or found.error:
            table.rows.append((str(case.steps), f"not measured: {plain.error or found.error}", *[""] * 6))
            continue
        times = (f"{plain.time:.2f}", f"{found.time:.2f}", f"{found.over(plain):.2f}")
        memory = (f"{plain.memory:.0f}", f"{found.memory:.0f}", f"{found.memory / plain.memory:.2f}")
        table.rows.append((str(case.steps), *times, *memory, f"{found.memory / one.memory:.2f}"))
    return table


def network_figures(plan: Plan) -> dict[str, dict[str, float]]:
    """Runs :mod:`benchmarks.networks` in a process of its own."""
    options: Sequence[tuple[str, int]] = (
        ("size", plan.network_size),
        ("batch", plan.batch),
        ("threads", plan.threads),
        ("repeats", plan.short_repeats),
    )
    command = [sys.executable, "-m", "benchmarks.networks", *(f"--{name}={value}" for name, value in options)]
    run = subprocess.run(
        command, cwd=ROOT, env=environment(plan.threads, peer=False), stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(run.stdout)


def network_table(figures: dict[str, dict[str, float]], plan: Plan) -> Table:
    """The networks against straightforward ones."""
    table = Table(
        f"The networks against straightforward ones, {plan.network_size}x{plan.network_size}, batch {plan.batch}",
        (
            "network",
            "forward, s",
            "straightforward",
            "faster",
            "with backward, s",
            "straightforward",
            "faster",
            "output",
        ),
    )
    for name, row in figures.items():
        cells: list[str] = []
        for kind in ("forward", "backward"):
            ours, theirs = row[f"{kind}_ours"], row[f"{kind}_theirs"]
            cells += [f"{ours:.3f}", f"{theirs:.3f}", f"{row[f'{kind}_faster']:.2f}x"]
        table.rows.append((name, *cells, f"{row['difference']:.0e}"))
    table.notes.append("The last column: the largest difference of the outputs.")
    return table
