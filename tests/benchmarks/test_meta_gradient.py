import json

import pytest

from benchmarks import meta_gradient
from benchmarks.interleaved import Bench, Result
from benchmarks.plan import Plan
from benchmarks.sections import BASELINE, block_wise, growth, too_large
from benchmarks.targets import targets_table


@pytest.mark.slow
def test_a_forward_meta_step_needs_about_the_memory_of_a_plain_step(tmp_path):
    plan, bench = Plan(), Bench(tmp_path, print)
    ways = ("fusion step", "forward", "reverse")
    results = bench.measure([plan.case(way, 160) for way in ways], repeats=0)
    assert not any(result.error for result in results)
    peaks = {way: result.memory for way, result in zip(ways, results, strict=True)}
    assert peaks["fusion step"] > 100, "the measurement sees the activations"
    assert peaks["forward"] <= 1.4 * peaks["fusion step"], peaks
    assert peaks["forward"] <= 0.5 * peaks["reverse"], peaks


@pytest.mark.slow
def test_a_quick_run_writes_tables_and_figures(tmp_path, capsys):
    meta_gradient.main(["--quick", "--sections", "exact", "steps", "networks", "--out", str(tmp_path)])
    report = (tmp_path / "meta_gradient.md").read_text()
    for expected in ("torch 2", "## Targets", "## The same gradient", "## Growth with the K", "ReFusionNet"):
        assert expected in report
    assert "| `forward` in float64, K = 2: relative difference | 1e-10 |" in report
    assert report in capsys.readouterr().out
    raw = json.loads((tmp_path / "meta_gradient.json").read_text())
    timed = [case for case in raw["cases"] if case["seconds"]]
    assert {(case["way"], case["steps"]) for case in timed} == {
        (way, k) for way in ("forward", BASELINE) for k in (1, 2)
    }
    assert raw["networks"].keys() >= {"ReFusionNet", "LossGenerator"}
    pytest.importorskip("matplotlib")
    assert (tmp_path / "meta_gradient.png").read_bytes().startswith(b"\x89PNG")


class Pretended(Bench):
    """A bench that measures nothing: memory is the number of pixels, times K for double backward."""

    def measure(self, cases, repeats):
        for case in cases:
            factor = case.steps + 1 if case.way == BASELINE else 1
            self.results[case] = Result(memory=case.size**2 * factor / 1e3, times=[1.0, 9.0, 2.0])
        return [self.results[case] for case in cases]


def test_block_by_block_compares_with_one_inner_step(tmp_path):
    bench, plan = Pretended(tmp_path, print), Plan()
    rows = block_wise(bench, plan).rows
    assert [row[0] for row in rows] == ["1", "2"]
    assert {dict(case.options).get("memory") for case in bench.results} == {None, "low"}
    assert all(row[3] == "1.00" == row[6] == row[7] for row in rows)


def test_what_does_not_fit_is_left_out_with_the_reason(monkeypatch, tmp_path):
    monkeypatch.setattr("benchmarks.sections.available_memory", lambda _: 100.0)
    bench, plan = Pretended(tmp_path, print), Plan()
    table = growth(bench, plan, "size")
    assert [row[0] for row in table.rows if "not measured" in row[1]] == ["224", "320"]
    assert "would take about 100 MB, 90 MB are free" in table.rows[3][1]
    assert "smaller one was too large" in table.rows[4][1]
    assert plan.case(BASELINE, 224) not in bench.results
    assert bench.results[plan.case("forward", 320)].memory > 100, "ours is tried"
    assert too_large(bench, None, plan.case(BASELINE, 96)) == ""


def test_targets_say_met_and_not_met(tmp_path):
    plan, bench = Plan(sizes=(128,)), Pretended(tmp_path, print)
    bench.measure([plan.growth_case("steps", way, k) for way in ("forward", BASELINE) for k in plan.steps_values], 1)
    low = plan.case("forward", plan.options_size, steps=2, options=(("memory", "low"),))
    bench.measure([low, plan.case("forward", plan.options_size)], 1)
    networks = {"block": {"difference": 1e-7, "magnitude": 1.0, "forward_faster": 3.0, "backward_faster": 1.5}}
    rows = {row[0]: row[1:] for row in targets_table(bench, plan, networks).rows}
    assert rows["memory of `forward`, K = 8 over K = 2"] == ("1.20", "1.00", "met")
    assert rows["`memory='low'`, K = 2: memory over that of K = 1 as usual"] == ("1.20", "1.00", "met")
    assert rows["block, forward: times faster than straightforward"] == ("2 (at least)", "3.00", "met")
    assert rows["block, forward and backward: times faster than straightforward"][-1] == "**not met**"
    assert not any("float64" in name for name in rows), "what was not measured is left out"


@pytest.mark.slow
def test_a_worker_says_what_failed(tmp_path):
    said = []
    (result,) = Bench(tmp_path, said.append).measure([Plan().case("nothing of the kind", 8)], 1)
    assert result.error == "KeyError: 'nothing of the kind'"
    assert result.error in said[0]


@pytest.mark.slow
def test_a_case_is_measured_again_where_more_rounds_are_wanted(tmp_path):
    bench, case = Bench(tmp_path, print), Plan(threads=1).case("forward", 16)
    (once,) = bench.measure([case], 1)
    (more,) = bench.measure([case], 2)
    (same,) = bench.measure([case], 1)
    assert len(once.times) == 1
    assert len(more.times) == 2
    assert same is more
