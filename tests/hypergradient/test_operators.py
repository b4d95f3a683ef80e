"""Operators and modules that are known to lack a derivative, each with its way round; and mixed dtypes."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from toys import PlainNet, TinyGenerator, TinyTask, held, learner, loss_of, problem, relative_error, same, scenes
from unrolled import by_hand

import metaloss
from metaloss.hypergradient import Auto, forward, reverse

BATCHES = scenes(1), scenes(2)
EXACT = {"forward": forward, "reverse": reverse}


def seeded(method, asked, batches=BATCHES):
    torch.manual_seed(3)
    return method(asked, *batches).gradients


class MultiheadNet(PlainNet):
    """torch's own multi-head attention, over the pixels."""

    def __init__(self, *, need_weights):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.need_weights = need_weights

    def features(self, *sources):
        x = super().features(*sources)
        tokens = x.flatten(2).mT
        attended, _ = self.attention(tokens, tokens, tokens, need_weights=self.need_weights)
        return x + attended.mT.unflatten(2, x.shape[-2:])


@pytest.mark.parametrize("training", [True, False])
def test_multihead_attention(training):
    """With and without torch's fused kernels and fast path."""
    fused = problem(MultiheadNet(need_weights=False).train(training))
    plain = MultiheadNet(need_weights=True).train(training)
    plain.load_state_dict(fused.fusion.state_dict())
    exact = seeded(reverse, problem(plain, loss=fused.loss, task=fused.task))
    for method in EXACT.values():
        assert relative_error(seeded(method, fused), exact) < 1e-10
    assert torch.backends.mha.get_fastpath_enabled()


class WeightNorm(nn.Module):
    """g * v / |v| by plain operators."""

    def forward(self, size, direction):
        return size * direction / direction.flatten(1).norm(dim=1).view_as(size)

    def right_inverse(self, weight):
        return weight.flatten(1).norm(dim=1).view(-1, 1, 1, 1), weight.clone()


def test_weight_norm_and_its_remedy():
    plain = PlainNet()
    fused, remedied = copy.deepcopy(plain), copy.deepcopy(plain)
    torch.nn.utils.parametrizations.weight_norm(fused.head)
    torch.nn.utils.parametrize.register_parametrization(remedied.head, "weight", WeightNorm())
    blocked = problem(fused)
    with pytest.raises(metaloss.MetaGradientError, match=r"weight_norm.*has no forward-mode rule.*g \* v / v\.norm"):
        forward(blocked, *BATCHES)
    asked = problem(remedied, loss=blocked.loss, task=blocked.task)
    exact = seeded(reverse, blocked)
    for method in EXACT.values():
        assert relative_error(seeded(method, asked), exact) < 1e-10


@pytest.mark.parametrize("steps", [1, 2])
def test_synchronised_batch_norm_in_one_process(steps):
    """It runs as batch norm, writes its buffers in place, and nothing of that is left."""
    plain = PlainNet()
    plain.head = nn.Sequential(nn.BatchNorm2d(4), plain.head)
    network = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(plain))
    asked = problem(network, steps=steps)
    before = held(asked.fusion)
    expected = seeded(reverse, problem(plain, loss=asked.loss, task=asked.task, steps=steps))
    for method in EXACT.values():
        assert relative_error(seeded(method, asked), expected) < 1e-10
    assert same(held(asked.fusion), before)


class TwoTypes(PlainNet):
    """Its head computes in another precision."""

    def forward(self, *sources):
        return self.head(self.features(*sources).to(self.head.weight.dtype)).to(sources[0].dtype).sigmoid()


class TwoTypesGenerator(TinyGenerator):
    def forward(self, *sources):
        first, act, last = self.net
        return last(act(first(torch.cat(sources, 1))).to(last.weight.dtype)).softmax(1).to(sources[0].dtype)


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("settings", [{}, {"inner_clip": 0.1}, {"outer_update": "max_normalised_sgd"}])
def test_networks_of_two_dtypes(settings, steps):
    def build(method, *, mixed):
        torch.manual_seed(1)
        fusion, generator = TwoTypes(), TwoTypesGenerator()
        subject = learner(
            fusion.double(),
            loss=metaloss.LearnableFusionLoss(generator).double(),
            task=TinyTask().double(),
            hypergradient=method,
            inner_steps=steps,
            **settings,
        )
        if mixed:
            fusion.head.float()
            generator.net[2].float()
        return subject

    expected = seeded_step(build("reverse", mixed=False))
    for method in ("forward", "reverse", "finite_difference"):
        subject = build(method, mixed=True)
        result = seeded_step(subject)
        assert {value.dtype for value in result.values()} == {torch.float32, torch.float64}
        assert relative_error({name: value.double() for name, value in result.items()}, expected) < 1e-2
        subject.meta_step(*BATCHES)
        subject.fusion_step(BATCHES[0])


def seeded_step(subject):
    torch.manual_seed(3)
    return subject.meta_gradient(*BATCHES).gradients


def test_a_task_in_another_dtype():
    class Single(nn.Module):
        def __init__(self, task):
            super().__init__()
            self.task = task

        def forward(self, fused, target):
            return self.task(fused.float(), target)

    task = TinyTask()
    asked = problem(task=copy.deepcopy(task))
    asked_single = problem(asked.fusion, loss=asked.loss, task=Single(nn.Identity()))
    asked_single.task.task = task
    for method in EXACT.values():
        assert relative_error(seeded(method, asked_single), seeded(method, asked)) < 1e-5


def test_inplace_operators_of_a_network():
    class InPlace(PlainNet):
        def features(self, *sources):
            x = sum(embed(x) for embed, x in zip(self.embed, sources, strict=True))
            x = F.silu(x) * 1.0
            x.mul_(0.5).add_(0.1)
            return F.leaky_relu_(x, 0.2)

    asked = problem(InPlace(), loss=loss_of(), steps=2)
    assert relative_error(seeded(forward, asked), seeded(reverse, asked)) < 1e-10


class ChannelsLast(PlainNet):
    """torch's group norm takes such a layout; its forward-mode rule does so from torch 2.14 on."""

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.GroupNorm(2, 4)

    def features(self, *sources):
        return self.norm(super().features(*sources).to(memory_format=torch.channels_last))


def group_norm_takes_channels_last():
    x = torch.rand(1, 4, 5, 6).to(memory_format=torch.channels_last)
    try:
        torch.func.jvp(lambda x: F.group_norm(x, 2), (x,), (torch.ones_like(x),))
    except RuntimeError:
        return False
    return True


def test_a_rule_that_does_not_take_the_operators_own_layout_is_a_missing_one():
    asked = problem(ChannelsLast(), task=TinyTask(dropout=0.0))
    batches = scenes(1), scenes(2)
    if group_norm_takes_channels_last():
        found = forward(asked, *batches).gradients
    else:
        with pytest.raises(metaloss.MetaGradientError, match="no forward-mode rule"):
            forward(asked, *batches)
        with pytest.warns(UserWarning, match="'reverse'"):
            found = Auto()(asked, *batches).gradients
    assert relative_error(found, by_hand(asked, *batches)) < 1e-10
