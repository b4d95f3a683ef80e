"""What a data set raises in a worker arrives as it was."""

import subprocess
import sys
import threading
from multiprocessing import active_children

import pytest
import torch
from toys import Scenes

from metaloss.data import Episodes, collate
from metaloss.data.loader import Loader, WorkerTraceback
from metaloss.errors import DataError, ShapeError

WORDS = "scene 2: no such file of boxes"


class Stubborn(Exception):
    """Cannot be sent from one process to another."""

    def __init__(self, words):
        super().__init__(words)
        self.lock = threading.Lock()


class Broken(Scenes):
    def __init__(self, error):
        super().__init__(4)
        self.error = error

    def __getitem__(self, index):
        if index == 2:
            raise self.error(WORDS)
        return super().__getitem__(index)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("error", [DataError, ValueError])
def test_the_words_are_the_data_sets_own(error, workers):
    with pytest.raises(error) as caught:
        list(Episodes(dataset=Broken(error), num_workers=workers).fusion(0))
    assert str(caught.value) == WORDS
    cause = caught.value.__cause__
    assert isinstance(cause, WorkerTraceback) == bool(workers)
    assert "__getitem__" in str(cause) or not workers


def test_an_error_of_the_batch():
    dataset = Scenes(4, size=(8, 8), other=(9, 9))
    with pytest.raises(ShapeError, match=r"^scene1 is \(1, 9, 9\) and scene0 \(1, 8, 8\): images of one batch"):
        list(Loader(dataset, batch_size=2, collate_fn=collate, num_workers=1))


def test_an_error_that_cannot_travel_is_told_in_its_words():
    with pytest.raises(RuntimeError, match=rf"^Stubborn: {WORDS}$") as caught:
        list(Loader(Broken(Stubborn), batch_size=1, collate_fn=collate, num_workers=1))
    assert "__getitem__" in str(caught.value.__cause__)


def test_workers_end_with_the_error():
    with pytest.raises(DataError) as caught:
        list(Loader(Broken(DataError), batch_size=1, collate_fn=collate, num_workers=2))
    assert active_children() == []
    assert str(caught.value) == WORDS


def test_the_batches_are_those_of_torchs_loader():
    dataset = Scenes(5)
    own = list(Loader(dataset, batch_size=2, collate_fn=collate, generator=torch.Generator()))
    assert [batch.names for batch in own] == [("scene0", "scene1"), ("scene2", "scene3"), ("scene4",)]
    assert len(Loader(dataset, batch_size=2, collate_fn=collate)) == 3


@pytest.mark.slow
def test_python_ends_while_a_loader_is_held():
    script = """
from metaloss.data import SyntheticScenes, collate
from metaloss.data.loader import Loader
batches = iter(Loader(SyntheticScenes(8, size=(32, 32)), collate_fn=collate, num_workers=1))
next(batches)
raise SystemExit(3)
"""
    assert subprocess.run([sys.executable, "-c", script], timeout=120, check=False).returncode == 3
