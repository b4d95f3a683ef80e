import copy
import warnings

import pytest
import torch
from torch import nn
from toys import (
    AttentionNet,
    DropoutNet,
    PlainNet,
    WarpNet,
    learner,
    loss_of,
    needs_grid_sample_twice,
    problem,
    relative_error,
    scenes,
)

import metaloss
from metaloss.hypergradient import Auto, finite_difference, forward, reverse


class Square(torch.autograd.Function):
    """Twice differentiable backwards, and without a forward-mode rule."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, slope):
        (x,) = ctx.saved_tensors
        return 2 * slope * x


class OnceSquare(Square):
    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, slope):
        (x,) = ctx.saved_tensors
        return 2 * slope * x


class CustomNet(PlainNet):
    function = Square

    def features(self, *sources):
        x = super().features(*sources)
        return x + self.function.apply(x)


class OnceNet(CustomNet):
    function = OnceSquare


BATCHES = scenes(1), scenes(2)


def run(method, *arguments):
    torch.manual_seed(4)
    result = method(*arguments).gradients
    return result, torch.get_rng_state()


def test_forward_mode_where_every_operator_has_it():
    asked = problem(DropoutNet())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result, after = run(Auto(), asked, *BATCHES)
    expected, moved = run(forward, asked, *BATCHES)
    assert relative_error(result, expected) == 0
    assert torch.equal(after, moved)


@pytest.mark.parametrize(
    ("network", "operator"),
    [pytest.param(WarpNet, "grid_sampler_2d", marks=needs_grid_sample_twice), (CustomNet, "Square")],
)
@pytest.mark.parametrize("steps", [1, 2])
def test_falls_back_to_reverse_with_one_warning(network, operator, steps):
    asked = problem(network(), steps=steps)
    method = Auto()
    with pytest.warns(
        UserWarning, match=rf"{network.__name__} .*{operator}, which .*hypergradient='reverse'"
    ) as caught:
        result, after = run(method, asked, *BATCHES)
    assert len(caught) == 1
    expected, moved = run(reverse, asked, *BATCHES)
    assert relative_error(result, expected) == 0
    assert torch.equal(after, moved)
    again, after = run(method, asked, *BATCHES)
    assert relative_error(again, expected) == 0
    assert torch.equal(after, moved)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (WarpNet, ["grid_sampler_2d has no forward-mode rule", "'reverse'", "'auto'"]),
        (CustomNet, ["Square has no forward-mode rule", "'reverse'", "'auto'"]),
    ],
)
def test_forward_alone_names_the_operator_and_the_remedy(network, words):
    with pytest.raises(metaloss.MetaGradientError) as caught:
        forward(problem(network()), *BATCHES)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize("steps", [1, 2])
def test_fused_attention_is_differentiated_by_plain_operators(steps):
    """torch's fused attention has neither a forward-mode rule nor a second derivative: it is not taken there."""
    fused, plain = AttentionNet(math=False), AttentionNet(math=True)
    plain.load_state_dict(fused.state_dict())
    asked = problem(fused, steps=steps)
    exact, _ = run(reverse, problem(plain, loss=asked.loss, task=asked.task, steps=steps), *BATCHES)
    for method in (forward, reverse, Auto()):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert relative_error(run(method, asked, *BATCHES)[0], exact) < 1e-10


@pytest.mark.parametrize("steps", [1, 2])
def test_a_function_differentiable_once_is_refused_not_cut(steps):
    """autograd.grad goes round once_differentiable in silence: the meta-gradient would lack a part."""
    asked = problem(OnceNet(), steps=steps)
    with pytest.raises(metaloss.MetaGradientError, match=r"once_differentiable.* has no second derivative"):
        reverse(asked, *BATCHES)
    twice = CustomNet().double()
    twice.load_state_dict(asked.fusion.state_dict())
    exact, _ = run(reverse, problem(twice, loss=asked.loss, task=asked.task, steps=steps), *BATCHES)
    approximate, _ = run(finite_difference, asked, *BATCHES)
    assert relative_error(approximate, exact) < 1e-6


def test_a_loss_differentiable_once_is_refused_too():
    class OnceLoss(metaloss.LearnableFusionLoss):
        def forward(self, fused, sources):
            return super().forward(OnceSquare.apply(fused), sources)

    loss = OnceLoss(copy.deepcopy(loss_of().generator))
    for method in (forward, reverse, finite_difference):
        with pytest.raises(metaloss.MetaGradientError, match="once_differentiable"):
            method(problem(loss=loss), *BATCHES)


def test_an_operator_of_the_task_needs_first_derivatives_only():
    class CustomTask(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Conv2d(1, 1, 3, padding=1)

        def forward(self, fused, target):
            return OnceSquare.apply(self.net(fused)).mean()

    asked = problem(task=CustomTask())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result, _ = run(Auto(), asked, *BATCHES)
    assert relative_error(result, run(reverse, asked, *BATCHES)[0]) < 1e-10


def test_other_errors_of_a_network_pass_unchanged():
    class Broken(PlainNet):
        def forward(self, *sources):
            raise RuntimeError("size mismatch")

    with pytest.raises(RuntimeError, match=r"^size mismatch$"):
        Auto()(problem(Broken()), *BATCHES)


def test_the_learner_warns_once_over_many_steps():
    subject = learner(WarpNet())
    batches = scenes(1, dtype=torch.float32), scenes(2, dtype=torch.float32)
    with pytest.warns(UserWarning, match="grid_sampler_2d"):
        subject.meta_step(*batches)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        subject.meta_step(*batches)
