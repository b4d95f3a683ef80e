"""What goes wrong in silence elsewhere (the names of torch's traps, each made to fail aloud or to work)."""

import copy

import pytest
import torch
from torch import nn
from toys import (
    BatchNormNet,
    CheckpointedNet,
    PlainNet,
    TinyGenerator,
    held,
    learner,
    problem,
    relative_error,
    same,
    scenes,
)

import metaloss
from metaloss.hypergradient import finite_difference, forward, reverse
from metaloss.hypergradient.functional import swapped

METHODS = {"forward": forward, "reverse": reverse, "finite_difference": finite_difference}
FLOATS = scenes(1, dtype=torch.float32), scenes(2, dtype=torch.float32)


def seeded(method, *arguments):
    torch.manual_seed(3)
    return METHODS[method](*arguments).gradients


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("method", ["forward", "reverse"])
def test_activation_checkpointing_inside_the_network(method, steps):
    network = CheckpointedNet()
    plain = PlainNet()
    plain.load_state_dict(network.state_dict())
    asked = problem(network, steps=steps)
    batches = scenes(1), scenes(2)
    expected = seeded("reverse", problem(plain, task=asked.task, loss=asked.loss, steps=steps), *batches)
    assert relative_error(seeded(method, asked, *batches), expected) < 1e-10


@pytest.mark.parametrize("method", ["forward", "reverse"])
def test_activation_checkpointing_inside_the_loss_and_the_task(method):
    class CheckpointedGenerator(TinyGenerator):
        def forward(self, *sources):
            return torch.utils.checkpoint.checkpoint(super().forward, *sources, use_reentrant=False)

    class CheckpointedTask(nn.Module):
        def __init__(self, task):
            super().__init__()
            self.task = task

        def forward(self, fused, target):
            return torch.utils.checkpoint.checkpoint(self.task, fused, target, use_reentrant=False)

    generator = CheckpointedGenerator()
    plain = TinyGenerator()
    plain.load_state_dict(generator.state_dict())
    asked = problem(loss=metaloss.LearnableFusionLoss(plain))
    wrapped = problem(
        asked.fusion, loss=metaloss.LearnableFusionLoss(generator), task=CheckpointedTask(copy.deepcopy(asked.task))
    )
    batches = scenes(1), scenes(2)
    before = held(wrapped.fusion, wrapped.loss, wrapped.task)
    assert relative_error(seeded(method, wrapped, *batches), seeded("reverse", asked, *batches)) < 1e-10
    assert same(held(wrapped.fusion, wrapped.loss, wrapped.task), before)


def test_partial_parameters_are_an_error_not_the_modules_own():
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    params, buffers = dict(module.named_parameters()), dict(module.named_buffers())
    missing = {name: value for name, value in params.items() if name != "0.bias"}
    with pytest.raises(KeyError, match=r"0\.bias"):
        swapped(module, missing, buffers).__enter__()
    with pytest.raises(KeyError, match="running_mean"):
        swapped(module, params, {}).__enter__()
    with pytest.raises(KeyError, match="strange"):
        swapped(module, {**params, "strange": params["0.bias"]}, buffers).__enter__()


def test_the_modules_own_tensors_come_back_after_an_error():
    module = nn.Linear(2, 2)
    own = dict(module.named_parameters())
    doubled = {name: 2 * value.detach() for name, value in own.items()}

    def fail():
        with swapped(module, doubled, {}) as it:
            assert torch.equal(it.weight, doubled["weight"])
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert all(param is own[name] for name, param in module.named_parameters())


def test_buffers_go_on_from_step_to_step():
    """In evaluation mode the second inner step sees what the first one assigned."""

    class Drifting(PlainNet):
        def __init__(self):
            super().__init__()
            self.register_buffer("gain", torch.ones(()))

        def features(self, *sources):
            self.gain = self.gain * 1.5
            return super().features(*sources) * self.gain

    class InPlace(Drifting):
        def features(self, *sources):
            self.gain.mul_(1.5)
            return PlainNet.features(self, *sources) * self.gain.clone()

    first, second = Drifting(), InPlace()
    second.load_state_dict(first.state_dict())
    asked = problem(first, steps=2)
    other = problem(second, loss=asked.loss, task=asked.task, steps=2)
    batches = scenes(1), scenes(2)
    for method in ("forward", "reverse"):
        assert relative_error(seeded(method, asked, *batches), seeded(method, other, *batches)) < 1e-12


class Ignoring(TinyGenerator):
    """Proposes uniform weights, whatever it learned."""

    def forward(self, *sources):
        return torch.cat(sources, 1) * 0 + 1 / len(sources)


class Detached(TinyGenerator):
    def forward(self, *sources):
        return super().forward(*sources).detach()


class HalfUsed(TinyGenerator):
    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(3))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("generator", "named"),
    [(Ignoring, r"net\.0\.weight"), (Detached, r"net\.0\.weight"), (HalfUsed, r"generator\.unused")],
)
def test_a_parameter_without_meta_gradient_is_named(method, generator, named):
    subject = learner(loss=metaloss.LearnableFusionLoss(generator()), hypergradient=method)
    assert refuses(subject, rf"no meta-gradient reaches .*{named}")


def refuses(subject, message):
    """The step raises, and nothing has been stepped."""
    before = held(subject.fusion, subject.loss, subject.task, optimizers=[subject.optimizer("loss")])
    with pytest.raises(metaloss.MetaGradientError, match=message) as caught:
        subject.meta_step(*FLOATS)
    assert "\n" not in str(caught.value)
    return same(held(subject.fusion, subject.loss, subject.task, optimizers=[subject.optimizer("loss")]), before)


@pytest.mark.parametrize("method", METHODS)
def test_an_all_zero_meta_gradient_is_refused(method):
    assert refuses(
        learner(inner_lr=0.0, hypergradient=method), r"meta-gradient of all of generator\.net\.0\.weight.* is zero"
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_task_that_ignores_the_fused_image_is_refused(method):
    class Blind(nn.Module):
        def __init__(self):
            super().__init__()
            self.level = nn.Parameter(torch.ones(()))

        def forward(self, fused, target):
            return self.level**2

    assert refuses(learner(task=Blind(), hypergradient=method), "is zero: .*ignores the fused image")


@pytest.mark.parametrize("method", METHODS)
def test_a_rule_that_ignores_the_gradient_is_refused(method):
    def stays(params, grads, state):
        return dict(params), state

    assert refuses(learner(inner_rule=stays, hypergradient=method), "zero|no meta-gradient reaches")


@pytest.mark.parametrize("method", METHODS)
def test_a_frozen_fusion_network_is_refused(method):
    assert refuses(
        learner(PlainNet().requires_grad_(False), hypergradient=method), "PlainNet has no trainable parameter"
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_frozen_task_is_fine(method):
    subject = learner(hypergradient=method)
    subject.task.requires_grad_(False)
    assert subject.meta_gradient(*FLOATS).outer_loss.isfinite()


class Exploding(nn.Module):
    """A task whose gradient is not finite on the images of F'."""

    def __init__(self):
        super().__init__()
        self.level = nn.Parameter(torch.ones(()))

    def forward(self, fused, target):
        return (fused - fused.detach()).sqrt().mean() * self.level


@pytest.mark.parametrize("method", METHODS)
def test_a_gradient_that_is_not_finite_is_refused(method):
    assert refuses(
        learner(task=Exploding(), hypergradient=method), r"meta-gradient of generator.* is not finite .*'skip'"
    )


def test_a_gradient_that_is_not_finite_can_be_skipped():
    subject = learner(task=Exploding(), on_nonfinite="skip", accumulate=2)
    before = held(subject.loss, optimizers=[subject.optimizer("loss")])
    for _ in range(3):
        result = subject.meta_step(*FLOATS)
    assert subject.skipped == 3
    assert result["outer_loss"].shape == ()
    assert same(held(subject.loss, optimizers=[subject.optimizer("loss")]), before)


def test_black_sources_give_finite_second_derivatives():
    """Through the reference networks, fresh: layer norm gives zeros and attention's norms are zero."""
    subject = learner(
        metaloss.networks.ReFusionNet(),
        loss=metaloss.LearnableFusionLoss(),
        task=metaloss.ModuleTask(nn.Conv2d(1, 3, 1), nn.functional.cross_entropy),
    )
    batch = FLOATS[0]
    black = metaloss.FusionBatch((torch.zeros_like(batch.sources[0]), batch.sources[1]), batch.target)
    for method in ("forward", "reverse"):
        torch.manual_seed(1)
        result = METHODS[method](subject.problem, black, FLOATS[1]).gradients
        assert all(value.isfinite().all() and value.abs().max() < 1e3 for value in result.values())


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(torch.compiler, "set_stance"), reason="torch has it from 2.6 on")
@pytest.mark.parametrize("method", METHODS)
def test_a_compiled_network_is_differentiated_as_it_was_written(method):
    """Compiled code has first derivatives only; where more are needed, it runs uncompiled."""
    plain = BatchNormNet()
    asked = problem(plain, steps=2)
    compiled = problem(
        torch.compile(copy.deepcopy(plain), backend="aot_eager"), loss=asked.loss, task=asked.task, steps=2
    )
    batches = scenes(1), scenes(2)
    assert relative_error(seeded(method, compiled, *batches), seeded(method, asked, *batches)) < 1e-7
