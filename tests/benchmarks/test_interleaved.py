"""How times taken in turn are compared."""

import math

from benchmarks.interleaved import Result, environment


def test_a_ratio_is_taken_round_by_round() -> None:
    """A machine that slows down for a round slows both down: the ratio of medians would say 1.5."""
    ours, base = Result(times=[1.0, 3.0, 1.2]), Result(times=[2.0, 6.0, 0.8])
    assert ours.over(base) == 0.5


def test_without_rounds_in_common_it_is_the_ratio_of_times() -> None:
    assert Result(times=[3.0]).over(Result(times=[2.0])) == 1.5
    assert Result(times=[1.0, 2.0, 3.0]).over(Result(times=[4.0])) == 0.5
    assert math.isnan(Result().over(Result()))


def test_threads_that_wait_sleep_unless_the_user_says_otherwise(monkeypatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert environment(2, peer=False)["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert environment(2, peer=False)["OMP_WAIT_POLICY"] == "ACTIVE"
