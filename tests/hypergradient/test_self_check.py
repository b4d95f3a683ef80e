"""Right to the last digits, or refused by name: networks whose derivatives torch does not get alike."""

import copy
import random
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from faulty import (
    AlwaysHooked,
    ConstantNet,
    CustomOperator,
    DeformableNet,
    FrozenStatistics,
    GuideMap,
    Noisy,
    NumpyHead,
    NumpyNet,
    OutputRange,
    OwnNumpyGenerator,
    OwnTorchGenerator,
    TanhNet,
    TensorHook,
    TruncatedUnrolling,
    backward_hook,
    hidden_draw,
)
from toys import USER_NETWORKS, PlainNet, TinyTask, learner, problem, relative_error, scenes
from unrolled import by_hand

import metaloss
from metaloss.hypergradient import Auto, finite_difference, forward, reverse
from metaloss.hypergradient.self_check import is_due
from metaloss.hypergradient.unroll import outer_gradient, unroll

BATCHES = scenes(1), scenes(2)
STOPPED = [OutputRange, FrozenStatistics, GuideMap, TruncatedUnrolling]


def seeded(method, asked):
    torch.manual_seed(3)
    np.random.seed(4)
    random.seed(5)
    return method(asked, *BATCHES).gradients


@pytest.mark.parametrize("memory", ["normal", "low"])
@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("network", STOPPED)
def test_no_grad_stops_tangents_as_it_stops_gradients(network, steps, memory):
    asked = problem(network(), steps=steps)
    expected = by_hand(asked, *BATCHES)
    asked = replace(asked, execution=replace(asked.execution, memory=memory))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".torch.cpu.amp.autocast", FutureWarning)  # checkpoints', up to torch 2.5
        for method in (forward, reverse, Auto()):
            assert relative_error(seeded(method, asked), expected) < 1e-10


@pytest.mark.parametrize("network", [*STOPPED, TensorHook])
def test_differences_that_do_not_stop_are_refused(network):
    with pytest.raises(metaloss.MetaGradientError, match=r"finite_difference.*(detach, no_grad|register_hook)"):
        seeded(finite_difference, problem(network()))


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize(
    ("network", "words"),
    [
        (TensorHook, "register_hook"),
        (AlwaysHooked, "register_hook"),
        (backward_hook, "backward hook|BackwardHookFunction"),
        (CustomOperator, "metaloss_tests.cube|forward-mode rule"),
    ],
)
def test_what_forward_mode_does_not_see_is_named_and_reverse_is_right(network, words, steps):
    asked = problem(network(), steps=steps)
    with pytest.raises(metaloss.MetaGradientError, match=words):
        seeded(forward, asked)
    expected = seeded(reverse, asked)
    if steps == 1:
        assert relative_error(expected, by_hand(asked, *BATCHES)) < 1e-10
    with pytest.warns(UserWarning, match=f"({words}).*falling back to hypergradient='reverse'"):
        assert relative_error(seeded(Auto(), asked), expected) == 0


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize(
    "network",
    [
        lambda: Noisy(lambda: np.random.randn()),
        lambda: Noisy(lambda: random.random()),
        lambda: Noisy(lambda: float(torch.rand(()))),
        OwnTorchGenerator,
        OwnNumpyGenerator,
    ],
)
def test_random_numbers_of_any_generator_are_drawn_again(network, steps):
    asked = problem(network(), task=TinyTask(dropout=0.0), steps=steps)
    other = replace(asked, fusion=copy.deepcopy(asked.fusion))
    third = replace(asked, fusion=copy.deepcopy(asked.fusion))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, again = seeded(forward, asked), seeded(Auto(), other)
    expected = seeded(reverse, third)
    assert relative_error(first, expected) < 1e-10
    assert relative_error(again, expected) < 1e-10


def test_random_numbers_that_cannot_be_drawn_again_are_named():
    asked = problem(Noisy(hidden_draw))
    with pytest.raises(metaloss.MetaGradientError, match="a generator that cannot be set back"):
        seeded(forward, asked)
    with pytest.warns(UserWarning, match="a generator that cannot be set back.*'reverse'"):
        Auto()(asked, *BATCHES)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 2])
def test_an_operator_that_drops_tangents_and_has_no_second_derivative(steps):
    frozen_task = lambda params, grads, state: (dict(params), state)  # noqa: E731
    asked = problem(DeformableNet(), lr=5.0, steps=steps, task_rule=frozen_task)
    with pytest.raises(metaloss.MetaGradientError, match="deform_conv2d"):
        seeded(forward, asked)
    with pytest.warns(UserWarning, match=r"deform_conv2d.*'finite_difference', approximate"):
        found = seeded(Auto(), asked)
    assert relative_error(found, central_difference(asked)) < 1e-5


def central_difference(asked, size=1e-4):
    """The meta-gradient entry by entry, from the outer loss."""
    found = {}
    for name, param in asked.loss.named_parameters():
        values = torch.zeros_like(param)
        for index in range(param.numel()):
            ends = []
            for sign in (1, -1):
                with torch.no_grad():
                    param.view(-1)[index] += sign * size
                torch.manual_seed(3)
                ends.append(outer_loss(asked))
                with torch.no_grad():
                    param.view(-1)[index] -= sign * size
            values.view(-1)[index] = (ends[0] - ends[1]) / (2 * size)
        found[name] = values
    return found


def outer_loss(asked):
    trajectory = unroll(asked, BATCHES[0])
    return outer_gradient(trajectory.fusion, trajectory.task, BATCHES[1], asked.execution)[0]


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("network", [NumpyNet, NumpyHead])
def test_a_backward_pass_that_leaves_autograd_in_silence(network, steps):
    asked = problem(network(), steps=steps)
    with pytest.raises(metaloss.MetaGradientError, match=r"'reverse' is refused.*backward pass of NumpyTanh"):
        seeded(reverse, asked)
    with pytest.warns(UserWarning, match="NumpyTanh.*'finite_difference'"):
        found = seeded(Auto(), asked)
    if network is NumpyNet:
        plain = TanhNet().double()
        plain.load_state_dict(asked.fusion.state_dict())
        assert relative_error(found, seeded(reverse, replace(asked, fusion=plain))) < 1e-5


def test_a_backward_pass_with_constants_matters_for_several_inner_steps():
    asked = replace(problem(ConstantNet(), steps=1), number=0)
    plain = TanhNet().double()
    plain.load_state_dict(asked.fusion.state_dict())
    exact = replace(asked, fusion=plain)
    assert relative_error(seeded(reverse, asked), seeded(reverse, exact)) < 1e-10
    with pytest.raises(metaloss.MetaGradientError, match=r"backward pass of ConstantTanh .*holds constants"):
        seeded(reverse, replace(asked, steps=2))
    with pytest.warns(UserWarning, match="ConstantTanh.*'finite_difference'"):
        found = seeded(Auto(), replace(asked, steps=2))
    assert relative_error(found, seeded(reverse, replace(exact, steps=2))) < 1e-5


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("name", USER_NETWORKS)
def test_healthy_networks_pass_at_their_first_step(name, steps, dtype):
    asked = replace(problem(USER_NETWORKS[name](), steps=steps), number=0)
    for module in (asked.fusion, asked.loss, asked.task):
        module.to(dtype)
    batches = scenes(1, dtype=dtype), scenes(2, dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.manual_seed(3)
        exact = reverse(asked, *batches).gradients
        for method, bound in ((forward, 1e-9), (finite_difference, 1e-4)):
            torch.manual_seed(3)
            found = method(asked, *batches).gradients
            assert relative_error(found, exact) < (bound if dtype == torch.float64 else 0.1)


def test_checks_are_due_at_powers_of_two():
    assert [number for number in range(70) if is_due(number)] == [0, 1, 2, 4, 8, 16, 32, 64]
    assert is_due(None)
    assert is_due(5000)
    assert not is_due(5001)


class Switching(PlainNet):
    """Healthy at first; later it scales its gradients."""

    hooked = False

    def features(self, *sources):
        x = super().features(*sources)
        if self.hooked and x.requires_grad:
            x.register_hook(lambda gradient: 0.2 * gradient)
        return x


@pytest.mark.parametrize("method", ["forward", "auto"])
def test_a_network_that_changes_is_found_at_the_next_check(method):
    subject = learner(Switching(), hypergradient=method)
    batches = scenes(1, dtype=torch.float32), scenes(2, dtype=torch.float32)
    for _ in range(3):
        subject.meta_step(*batches)
    subject.fusion.hooked = True
    subject.meta_step(*batches)  # the fourth: none is due
    if method == "auto":
        with pytest.warns(UserWarning, match="register_hook.*'reverse'"):
            subject.meta_step(*batches)
        subject.meta_step(*batches)
    else:
        with pytest.raises(metaloss.MetaGradientError, match="register_hook"):
            subject.meta_step(*batches)


@pytest.mark.parametrize("network", [PlainNet, *STOPPED])
def test_the_first_step_of_a_learner_leaves_no_trace_of_its_checks(network):
    """The same random numbers, buffers and result as a single call."""
    torch.manual_seed(0)
    subject = learner(network(), hypergradient="forward", inner_steps=2)
    batches = scenes(1, dtype=torch.float32), scenes(2, dtype=torch.float32)
    torch.manual_seed(7)
    first = subject.meta_gradient(*batches).gradients
    after = torch.get_rng_state()
    torch.manual_seed(7)
    single = forward(subject.problem, *batches).gradients
    assert relative_error(first, single) == 0
    assert torch.equal(torch.get_rng_state(), after)
