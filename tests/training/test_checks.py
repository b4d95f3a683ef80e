"""What a learner refuses before it trains, and what it skips: each in one sentence with the cure."""

import copy
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from toys import PlainNet, TinyGenerator, TinyTask, held, learner, loss_of, problem, relative_error, same, scenes

import metaloss
from metaloss.hypergradient import finite_difference, forward, reverse

BATCHES = scenes(1, dtype=torch.float32), scenes(2, dtype=torch.float32)


class Perceptual(metaloss.LearnableFusionLoss):
    """Holds the task network."""

    def __init__(self, task):
        super().__init__(TinyGenerator())
        self.task = task


@pytest.mark.parametrize("parts", ["loss and task", "fusion and task"])
def test_shared_parameters_are_refused_unless_told(parts):
    task, fusion = TinyTask(), PlainNet()
    if parts == "loss and task":
        settings = {"fusion": fusion, "loss": Perceptual(task), "task": task}
    else:
        task.encoder = fusion.head
        settings = {"fusion": fusion, "loss": loss_of(), "task": task}
    with pytest.raises(metaloss.ConfigError, match=f"{parts} share .*allow_shared_parameters=True"):
        metaloss.MetaLearner(**settings)
    metaloss.MetaLearner(**settings, allow_shared_parameters=True)
    task.requires_grad_(False)
    fusion.head.requires_grad_(False)
    metaloss.MetaLearner(**settings)


@pytest.mark.parametrize("step", ["meta_step", "fusion_step"])
def test_lazy_layers_and_inference_mode(step):
    def take(subject):
        return getattr(subject, step)(*(BATCHES if step == "meta_step" else BATCHES[:1]))

    lazy = learner(metaloss.Concatenated(nn.LazyConv2d(1, 3, padding=1)))
    with pytest.raises(metaloss.ConfigError, match=r"has no shape yet .*run one batch"):
        take(lazy)
    with pytest.raises(metaloss.MetaGradientError, match="inference_mode"), torch.inference_mode():
        take(learner())


def closed_over():
    decoder = nn.Conv2d(4, 1, 3, padding=1)
    encoder = nn.Conv2d(2, 4, 3, padding=1)
    return metaloss.Adapted(encoder, lambda net, *sources: decoder(net(torch.cat(sources, 1))).sigmoid())


class PlainList(PlainNet):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Conv2d(4, 4, 1)]

    def features(self, *sources):
        return self.layers[0](super().features(*sources))


class TrainedBuffer(PlainNet):
    def __init__(self):
        super().__init__()
        self.register_buffer("gain", torch.ones((), requires_grad=True))

    def features(self, *sources):
        return super().features(*sources) * self.gain


@pytest.mark.parametrize(
    ("network", "named"),
    [(closed_over, "decoder.weight"), (PlainList, "layers.0.weight"), (TrainedBuffer, "gain .a buffer")],
)
@pytest.mark.parametrize("step", ["meta_step", "fusion_step"])
def test_what_would_not_be_trained_is_named(network, named, step):
    subject = learner(network())
    before = held(subject.fusion, subject.loss, subject.task)
    with pytest.raises(metaloss.ConfigError, match=f"never be trained.*{named}"):
        getattr(subject, step)(*(BATCHES if step == "meta_step" else BATCHES[:1]))
    assert same(held(subject.fusion, subject.loss, subject.task), before)


@pytest.mark.parametrize("returned", [lambda total: total, lambda total: SimpleNamespace(total=total)])
def test_a_loss_that_returns_no_terms(returned):
    class Bare(metaloss.LearnableFusionLoss):
        def forward(self, fused, sources):
            return returned(super().forward(fused, sources).total)

    subject = learner(loss=Bare(TinyGenerator()))
    with pytest.raises(metaloss.ShapeError, match=r"Bare returned .*FusionLossTerms"):
        subject.meta_step(*BATCHES)
    with pytest.raises(metaloss.ShapeError, match=r"Bare returned .*FusionLossTerms"):
        subject.fusion_step(BATCHES[0])


def test_a_dead_image_is_named_and_nothing_is_left_changed():
    class Dead(PlainNet):
        def forward(self, *sources):
            return F.relu(super().forward(*sources) - 2)

    subject = learner(Dead())
    before = held(subject.fusion, subject.loss, subject.task)
    with pytest.raises(metaloss.MetaGradientError, match="fused image is 0 everywhere"):
        subject.meta_step(*BATCHES)
    assert same(held(subject.fusion, subject.loss, subject.task), before)


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_meta_test_batch_without_labels_is_skipped_and_counted(wrapped):
    def cross_entropy(output, target):
        return F.cross_entropy(output, target, ignore_index=255)

    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Conv2d(1, 3, 3, padding=1)

        def forward(self, fused, target):
            return cross_entropy(self.net(fused), target)

    task = metaloss.ModuleTask(nn.Conv2d(1, 3, 3, padding=1), cross_entropy) if wrapped else Plain()
    subject = learner(task=task)
    nothing = metaloss.FusionBatch(BATCHES[1].sources, torch.full_like(BATCHES[1].target, 255))
    before = held(subject.loss)
    values = subject.meta_step(BATCHES[0], nothing)
    assert subject.skipped == 1
    assert values["outer_loss"] == 0
    assert same(held(subject.loss), before)
    assert subject.meta_step(nothing, BATCHES[1])["task_inner_loss"] == 0
    assert subject.skipped == 1


@pytest.mark.parametrize("method", ["forward", "reverse", "finite_difference"])
def test_a_frozen_task_with_clipped_inner_gradients(method):
    subject = learner(task=TinyTask().requires_grad_(False), inner_clip=0.1, hypergradient=method)
    assert subject.meta_gradient(*BATCHES).outer_loss.isfinite()


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("method", [forward, reverse, finite_difference])
def test_what_networks_write_in_place_is_their_own(method, steps):
    """A task that normalises its image in place, and a fusion network that centres its sources."""

    class InPlaceTask(TinyTask):
        def forward(self, fused, target):
            return super().forward(fused.sub_(0.4).div_(0.2), target)

    class OutOfPlaceTask(TinyTask):
        def forward(self, fused, target):
            return super().forward((fused - 0.4) / 0.2, target)

    class InPlaceNet(PlainNet):
        def forward(self, *sources):
            return super().forward(*(source.sub_(0.5) for source in sources))

    class OutOfPlaceNet(PlainNet):
        def forward(self, *sources):
            return super().forward(*(source - 0.5 for source in sources))

    loss = loss_of(intensity="squared_weight")
    asked = problem(InPlaceNet(), loss=loss, task=InPlaceTask(), steps=steps)
    fusion, task = OutOfPlaceNet(), OutOfPlaceTask()
    fusion.load_state_dict(asked.fusion.state_dict())
    task.load_state_dict(asked.task.state_dict())
    exact = problem(fusion, loss=copy.deepcopy(loss), task=task, steps=steps)
    batches = scenes(1), scenes(2)
    before = [source.clone() for source in batches[0].sources]
    torch.manual_seed(3)
    found = method(asked, *batches).gradients
    torch.manual_seed(3)
    expected = reverse(exact, *batches).gradients
    assert relative_error(found, expected) < (1e-5 if method is finite_difference else 1e-10)
    assert all(torch.equal(*pair) for pair in zip(batches[0].sources, before, strict=True))


class Fourier(nn.Module):
    """Complex weights on the spectrum."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 2, 3, padding=1)
        self.spectrum = nn.Parameter(torch.randn(2, 8, 5, dtype=torch.complex128) * 0.1)

    def forward(self, *sources):
        x = self.first(torch.cat(sources, 1))
        return (x + torch.fft.irfft2(torch.fft.rfft2(x) * self.spectrum, s=x.shape[-2:])).sum(1, keepdim=True).sigmoid()


@pytest.mark.parametrize("rule", ["sgd", "sgd_momentum", "adam"])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_complex_parameters(rule, steps):
    settings = {"inner_rule": rule, "inner_lr": 0.05, "inner_steps": steps, "inner_clip": 0.5}
    torch.manual_seed(0)
    fusion, loss, task = Fourier().double(), loss_of().double(), TinyTask(dropout=0.0).double()

    def found(method, memory="normal"):
        subject = metaloss.MetaLearner(
            fusion=fusion, loss=loss, task=task, hypergradient=method, memory=memory, **settings
        )
        return subject.meta_gradient(scenes(1), scenes(2)).gradients

    exact = found("reverse")
    for method, memory in (("forward", "normal"), ("forward", "low"), ("reverse", "low")):
        assert relative_error(found(method, memory), exact) < 1e-9
    if rule == "sgd":
        assert relative_error(found("finite_difference"), exact) < 1e-5
