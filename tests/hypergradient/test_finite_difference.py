import pytest
import torch
from toys import USER_NETWORKS, problem, relative_error, scenes

from metaloss.hypergradient import finite_difference, forward
from metaloss.hypergradient.finite_difference import step_size


@pytest.mark.parametrize("name", USER_NETWORKS)
@pytest.mark.parametrize("steps", [1, 3])
def test_close_to_the_exact_gradient(name, steps):
    asked = problem(USER_NETWORKS[name](), steps=steps)
    batches = scenes(1), scenes(2)
    results = []
    for method in (finite_difference, forward):
        torch.manual_seed(3)
        results.append(method(asked, *batches))
    assert relative_error(results[0].gradients, results[1].gradients) < 1e-6
    assert torch.equal(results[0].outer_loss, results[1].outer_loss)


def test_single_precision():
    asked = problem()
    for module in (asked.fusion, asked.loss, asked.task.eval()):
        module.float()
    batches = scenes(1, dtype=torch.float32), scenes(2, dtype=torch.float32)
    assert relative_error(finite_difference(asked, *batches).gradients, forward(asked, *batches).gradients) < 2e-3


def test_the_step_grows_with_the_weights_and_shrinks_with_the_direction():
    params, direction = {"a": torch.full((4,), 5.0).double()}, {"a": torch.full((4,), 0.5).double()}
    base = torch.finfo(torch.float64).eps ** (1 / 2)
    assert step_size(params, direction).item() == pytest.approx(base * 5 / 1)
    assert step_size({"a": params["a"] / 100}, direction).item() == pytest.approx(base)
    assert step_size(params, {"a": torch.zeros(4).double()}).isfinite()
