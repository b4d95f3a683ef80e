"""What the figures are held against: printed, not asserted."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.interleaved import Bench, Result, relative_difference
from benchmarks.plan import Plan
from benchmarks.problem import Case
from benchmarks.sections import BASELINE, LABELS, Table, exact_case
from benchmarks.ways import IMAGE

Row = tuple[str, float, float]
PUBLISHED = {"time": 0.45, "memory": 0.32}
OTHERS = {"time": 0.55, "memory": 0.35}
OF_IMAGE = {"time": 1.1, "memory": 1.1}  # over a fusion step


def targets_table(bench: Bench, plan: Plan, networks: dict[str, dict[str, float]]) -> Table:
    """Every target with what was measured; those that were not measured are left out."""
    table = Table("Targets", ("target", "at most", "measured", ""))
    for name, limit, measured in [*exact(bench, plan), *ratios(bench, plan), *steps(bench, plan), *whole(bench, plan)]:
        if measured == measured:
            shown = (f"{limit:.0e}", f"{measured:.0e}") if limit < 1e-3 else (f"{limit:.2f}", f"{measured:.2f}")
            table.rows.append((name, *shown, verdict(measured <= limit)))
    for name, row in networks.items():
        table.rows += network_rows(name, row)
    return table


def network_rows(name: str, row: dict[str, float]) -> Iterator[tuple[str, ...]]:
    """How much faster a network is than the straightforward one, and whether it is the same."""
    for kind, label in (("forward", "forward"), ("backward", "forward and backward")):
        faster = row[f"{kind}_faster"]
        target = f"{name}, {label}: times faster than straightforward"
        yield target, "2 (at least)", f"{faster:.2f}", verdict(faster >= 2)
    equal = row["difference"] <= 1e-5 * max(1, row["magnitude"])
    yield f"{name}: difference of outputs", "1e-05", f"{row['difference']:.0e}", verdict(equal)


def verdict(met: bool) -> str:
    """How the table says it."""
    return "met" if met else "**not met**"


def found(bench: Bench, case: Case) -> Result:
    """What was measured, or nothing but NaN."""
    return bench.results.get(case, Result())


def exact(bench: Bench, plan: Plan) -> Iterator[Row]:
    """`forward` is exact."""
    for k in (1, 2):
        ours, plain = (found(bench, exact_case(plan, way, k)) for way in ("forward", BASELINE))
        difference = relative_difference(ours.gradients, plain.gradients)
        yield f"`forward` in float64, K = {k}: relative difference", 1e-10, difference


def ratios(bench: Bench, plan: Plan) -> Iterator[Row]:
    """Time and memory of `forward` over those of the other ways."""
    for size in plan.sizes:
        ours = found(bench, plan.case("forward", size))
        for way in ("published", BASELINE, "torchopt", "higher"):
            other = found(bench, plan.case(way, size))
            for what, limit in (PUBLISHED if way == "published" else OTHERS).items():
                ratio = ours.over(other) if what == "time" else ours.memory / other.memory
                yield f"{size}x{size}: {what} of `forward` over {LABELS[way]}", limit, ratio


def steps(bench: Bench, plan: Plan) -> Iterator[Row]:
    """Memory does not grow with K."""
    peaks = {
        (way, k): found(bench, plan.growth_case("steps", way, k)).memory
        for way in ("forward", BASELINE)
        for k in plan.steps_values
    }
    most = max(plan.steps_values)
    if 2 in plan.steps_values and most > 2:
        yield f"memory of `forward`, K = {most} over K = 2", 1.2, peaks["forward", most] / peaks["forward", 2]
    for k in plan.steps_values:
        if k >= 2:
            yield f"K = {k}: memory of `forward` over the unrolled graph", 1.0, peaks["forward", k] / peaks[BASELINE, k]
    low = found(bench, plan.case("forward", plan.options_size, steps=2, options=(("memory", "low"),)))
    usual = found(bench, plan.case("forward", plan.options_size))
    yield "`memory='low'`, K = 2: memory over that of K = 1 as usual", 1.2, low.memory / usual.memory


def whole(bench: Bench, plan: Plan) -> Iterator[Row]:
    """Meta steps beside fusion steps."""
    for size in plan.sizes:
        base = found(bench, plan.case("fusion step", size))
        exact = found(bench, plan.case("forward", size, dtype="float64"))
        for method, limit in (("forward", 3.2), ("finite_difference", 2.5)):
            name = f"{size}x{size}: time of a meta step, `{method}`, over a fusion step"
            if method == "finite_difference":
                approximate = found(bench, plan.case(method, size))
                error = relative_difference(approximate.gradients, exact.gradients)
                name += f" (relative error of the gradient {error:.0e})"
            yield name, limit, found(bench, plan.case(f"meta step, {method}", size)).over(base)
        ours = found(bench, plan.case(f"meta step, {IMAGE}", size))
        for what, limit in OF_IMAGE.items():
            ratio = ours.over(base) if what == "time" else ours.memory / base.memory
            yield f"{size}x{size}: {what} of a meta step in image space over a fusion step", limit, ratio
        published = found(bench, plan.case("published", size))
        ratio = found(bench, plan.case(IMAGE, size)).over(published)
        yield f"{size}x{size}: time of the meta-gradient in image space over {LABELS['published']}", 0.15, ratio
