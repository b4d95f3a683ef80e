"""All cores, in processes or in threads."""

import os
import threading
import warnings

import pytest
import torch

from metaloss.data import parallel
from metaloss.data.parallel import in_parallel
from metaloss.errors import DataError

MANY = parallel._PAYS + 7


class Stubborn(Exception):
    """Cannot be sent from one process to another."""

    def __init__(self, words):
        super().__init__(words)
        self.lock = threading.Lock()


def where(number):
    return number, os.getpid()


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(parallel, "cores", lambda: 2)


def test_many_calls_are_shared_by_processes(two_cores):
    state = torch.get_rng_state()
    found = list(in_parallel(where, MANY))
    assert [number for number, _ in found] == list(range(MANY))
    assert torch.equal(torch.get_rng_state(), state)
    assert len({process for _, process in found} - {os.getpid()}) == 2


def test_few_calls_and_one_core_stay_in_this_process(monkeypatch):
    assert {process for _, process in in_parallel(where, 9)} == {os.getpid()}
    assert list(in_parallel(where, 0)) == []
    monkeypatch.setattr(parallel, "cores", lambda: 1)
    assert {process for _, process in in_parallel(where, MANY)} == {os.getpid()}


def test_where_no_process_can_be_started_threads_do_the_work(two_cores, monkeypatch):
    def refuse():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = list(in_parallel(where, MANY))
    assert [number for number, _ in found] == list(range(MANY))
    assert {process for _, process in found} == {os.getpid()}


def test_threads_go_on_where_a_process_has_died(two_cores):
    ours = os.getpid()

    def die(number):
        if number == 100 and os.getpid() != ours:
            os._exit(3)
        return number

    assert list(in_parallel(die, MANY)) == list(range(MANY))


@pytest.mark.parametrize("count", [9, MANY])
def test_what_a_call_raises_arrives_as_it_was(two_cores, count):
    def call(number):
        if number == 5:
            raise DataError("a.png: damaged")
        return number

    with pytest.raises(DataError, match=r"^a\.png: damaged$"):
        list(in_parallel(call, count))


def test_what_cannot_travel_is_told_in_its_words(two_cores):
    def call(number):
        raise Stubborn("here")

    with pytest.raises(RuntimeError, match=r"^Stubborn: here$"):
        list(in_parallel(call, MANY))


def test_stopping_early_leaves_no_process(two_cores):
    results = in_parallel(where, MANY)
    _, process = next(results)
    results.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
