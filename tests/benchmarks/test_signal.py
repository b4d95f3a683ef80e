import pytest
import torch

from benchmarks import signal
from benchmarks.signals.algebra import conjugate_gradients
from benchmarks.signals.states import state_of
from benchmarks.signals.updates import UPDATES


def test_conjugate_gradients_solve_a_system():
    torch.manual_seed(0)
    root, right = torch.randn(6, 6, dtype=torch.float64), torch.randn(6, dtype=torch.float64)
    matrix = root @ root.T + torch.eye(6, dtype=torch.float64)

    def times(parts):
        whole = matrix @ torch.cat([parts["a"], parts["b"]])
        return {"a": whole[:2], "b": whole[2:]}

    found = conjugate_gradients(times, {"a": right[:2], "b": right[2:]}, 6)
    torch.testing.assert_close(torch.cat([found["a"], found["b"]]), torch.linalg.solve(matrix, right))


@pytest.mark.slow
def test_every_update_has_a_row():
    found = signal.measure(state_of("small", epochs=1), 2)
    shown = signal.table(found).splitlines()
    assert [line.split(" | ")[0].removeprefix("| ") for line in shown[2:]] == list(UPDATES)
    assert shown[0].startswith("| inner update | background | person | sign | car | one-sided | agreement |")
    assert found["SGD, without the mean of u"].one_sided < 1e-5 < found["one SGD step on theta_F (Eq. 4)"].one_sided
