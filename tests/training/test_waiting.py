"""The log says when an epoch waits for its data."""

import re
import time

import pytest
from toys import DropoutNet, Scenes, learner

from metaloss.training.waiting import Waiting


class Slow(Scenes):
    def __init__(self, seconds):
        super().__init__(6)
        self.seconds = seconds

    def __getitem__(self, index):
        time.sleep(self.seconds)
        return super().__getitem__(index)


def steps(count, seconds):
    for number in range(count):
        time.sleep(seconds)
        yield number


def test_the_share_is_that_of_the_last_epoch():
    waiting = Waiting(0, "num_workers")
    assert waiting.share == 0
    for number in waiting.timed(steps(5, 0.04)):
        time.sleep(0.01)
        assert number in range(5)
    assert 0.6 < waiting.share < 0.9
    assert list(waiting.timed(steps(3, 0))) == [0, 1, 2]
    for _ in waiting.timed(steps(2, 0)):
        time.sleep(0.02)
    assert waiting.share < 0.3


@pytest.mark.parametrize(("workers", "more"), [(0, "num_workers=2 .*now 0: data is loaded between"), (3, "=4 .*now 3")])
def test_the_advice_is_given_once(workers, more, monkeypatch):
    monkeypatch.setattr("metaloss.training.waiting.cores", lambda: 2)
    waiting = Waiting(workers, "num_workers")
    waiting.waited, waiting.passed = 0.9, 1.0  # too short
    assert waiting.advice() is None
    waiting.waited, waiting.passed = 20.0, 100.0  # too little
    assert waiting.advice() is None
    waiting.waited = 43.0
    advice = waiting.advice()
    assert advice is not None
    assert advice.startswith("43% of the epoch's time was spent waiting for data: num_workers=")
    assert re.search(more, advice)
    assert waiting.advice() is None


def test_fit_says_it(capfd):
    learner(DropoutNet()).fit(Slow(0.07), epochs=2, meta_steps=3, batch_size=2)
    said = [line for line in capfd.readouterr().err.splitlines() if "waiting for data" in line]
    assert len(said) == 1
    assert said[0].startswith("epoch 1/2: ")
    learner(DropoutNet()).fit(Slow(0), epochs=1, meta_steps=3, batch_size=2)
    assert "waiting" not in capfd.readouterr().err
