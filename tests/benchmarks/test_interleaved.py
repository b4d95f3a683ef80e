"""How times taken in turn are compared."""

import math
import os
import time
from pathlib import Path

import pytest

from benchmarks.interleaved import Result, Worker, environment
from benchmarks.problem import Case


def test_a_ratio_is_taken_round_by_round() -> None:
    """A machine that slows down for a round slows both down: the ratio of medians would say 1.5."""
    ours, base = Result(times=[1.0, 3.0, 1.2]), Result(times=[2.0, 6.0, 0.8])
    assert ours.over(base) == 0.5


def test_without_rounds_in_common_it_is_the_ratio_of_times() -> None:
    assert Result(times=[3.0]).over(Result(times=[2.0])) == 1.5
    assert Result(times=[1.0, 2.0, 3.0]).over(Result(times=[4.0])) == 0.5
    assert math.isnan(Result().over(Result()))


@pytest.mark.parametrize("policy", [None, "ACTIVE"])
def test_how_threads_wait_is_the_users(policy, monkeypatch) -> None:
    """Told to sleep at once, which slows short operators, they are by nobody else."""
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if policy:
        monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    assert environment(2, peer=False).get("OMP_WAIT_POLICY") == policy


def test_a_worker_whose_turn_it_is_not_takes_no_time(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    worker = Worker(Case(way="image", size=32, threads=2))
    try:
        worker.wait()
        worker.ask(f"memory {tmp_path / 'gradients.pt'}")
        assert worker.ask("time")["time"] > 0
        time.sleep(0.5)  # until its threads have gone to sleep
        before = processor_seconds(worker.process.pid)
        time.sleep(0.5)
        assert processor_seconds(worker.process.pid) - before < 0.1
    finally:
        worker.close()


def processor_seconds(process: int) -> float:
    stat = Path(f"/proc/{process}/stat")
    if not stat.exists():
        pytest.skip("no /proc here")
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
