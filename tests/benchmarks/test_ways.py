import json
from dataclasses import asdict

import pytest

from benchmarks.interleaved import relative_difference
from benchmarks.problem import Case
from benchmarks.ways import OWN, PEERS, WAYS, make_step


def case(way, **others):
    return Case(**{"way": way, "size": 12, "batch": 1, "dtype": "float64", **others})


@pytest.fixture(scope="module")
def exact():
    """The gradient by hand, double backward in plain torch, by K."""
    return {steps: make_step(case("double backward", steps=steps))() for steps in (1, 2)}


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("way", ["published", "forward", "reverse"])
def test_gives_the_same_gradient(way, steps, exact):
    gradients = make_step(case(way, steps=steps))()
    assert relative_difference(gradients, exact[steps]) < 1e-10


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("way", PEERS)
def test_peers_give_the_same_gradient_and_leave_the_network_as_it_was(way, steps, exact, peer):
    peer(way)
    step = make_step(case(way, steps=steps))
    for _ in range(2):
        assert relative_difference(step(), exact[steps]) < 1e-10


def test_finite_difference_comes_near(exact):
    gradients = make_step(case("finite_difference"))()
    assert 0 < relative_difference(gradients, exact[1]) < 0.1


@pytest.mark.parametrize("way", ["fusion step", *(f"meta step, {method}" for method in OWN)])
def test_whole_steps_run(way):
    assert make_step(case(way))() == {}


def test_a_case_goes_through_json():
    before = case("forward", options=(("memory", "low"),))
    assert Case.from_json(json.loads(json.dumps(asdict(before)))) == before
    assert before.way in WAYS
