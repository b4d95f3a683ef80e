import pytest
import torch
from torch import nn

from benchmarks import signal
from benchmarks.signals.algebra import conjugate_gradients
from benchmarks.signals.states import State, state_of
from benchmarks.signals.updates import UPDATES
from metaloss import MetaLearner
from metaloss.networks import Concatenated


def test_conjugate_gradients_solve_a_system():
    torch.manual_seed(0)
    root, right = torch.randn(6, 6, dtype=torch.float64), torch.randn(6, dtype=torch.float64)
    matrix = root @ root.T + torch.eye(6, dtype=torch.float64)

    def times(parts):
        whole = matrix @ torch.cat([parts["a"], parts["b"]])
        return {"a": whole[:2], "b": whole[2:]}

    found = conjugate_gradients(times, {"a": right[:2], "b": right[2:]}, 6)
    torch.testing.assert_close(torch.cat([found["a"], found["b"]]), torch.linalg.solve(matrix, right))


def test_gauss_newton_takes_a_network_with_batch_norm():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = state_of("small", epochs=1)
        fusion = Concatenated(nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Conv2d(3, 1, 1)))
    learner = MetaLearner(fusion=fusion, loss=state.learner.loss, task=state.learner.task)
    state = State(learner, state.scenes)
    before = {name: value.clone() for name, value in fusion.state_dict().items()}
    [(meta_train, meta_test)] = state.pairs(1).meta(0)
    found = UPDATES["Gauss-Newton, 10 iterations, damping 0.1"](state, meta_train, meta_test)
    assert found.wishes.isfinite().all()
    assert all(torch.equal(value, before[name]) for name, value in fusion.state_dict().items())


@pytest.mark.slow
def test_every_update_has_a_row():
    found = signal.measure(state_of("small", epochs=1), 2)
    shown = signal.table(found).splitlines()
    assert [line.split(" | ")[0].removeprefix("| ") for line in shown[2:]] == list(UPDATES)
    assert shown[0].startswith("| inner update | background | person | sign | car | one-sided | agreement |")
    assert found["SGD, without the mean of u"].one_sided < 1e-5 < found["one SGD step on theta_F (Eq. 4)"].one_sided
