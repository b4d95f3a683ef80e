"""What the task asks of the fusion loss, against derivatives taken by other means, in float64."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.func import functional_call, jvp, vjp
from toys import (
    BatchNormNet,
    DropoutNet,
    PlainNet,
    TinyTask,
    WarpNet,
    held,
    learner,
    loss_of,
    needs_grid_sample_twice,
    same,
    scenes,
)

import metaloss
from metaloss.data.exchange import reorder_sources
from metaloss.training.signal import ELSEWHERE, Asked

PAIRS = [(scenes(2 * number), scenes(2 * number + 1)) for number in range(3)]
TRAIN, TEST = PAIRS[0]


def subject(fusion=None, *, sources=2, alpha=0.0, task=None, **settings):
    made = learner(
        fusion or PlainNet(sources), loss=loss_of(sources, alpha=alpha), task=task or TinyTask(dropout=0.0), **settings
    )
    for network in (made.fusion, made.loss, made.task):
        network.double()
    return made


def run(module, params, *inputs):
    buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
    return functional_call(module, {**params, **buffers}, inputs)


def params_of(module):
    return {name: param.detach() for name, param in module.named_parameters()}


def stepped(total, params, rate=0.5):
    slopes = torch.autograd.grad(total, list(params.values()))
    return {name: (param - rate * slope).detach() for (name, param), slope in zip(params.items(), slopes, strict=True)}


def task_wish(made, image, target):
    """dL_t/df at an image, with T one step of gradient descent on from F's image of the meta-train batch."""
    seen = run(made.fusion, params_of(made.fusion), *TRAIN.sources)
    params = {name: param.requires_grad_() for name, param in params_of(made.task).items()}
    fast = stepped(run(made.task, params, seen, TRAIN.target), params)
    image = image.detach().requires_grad_()
    return torch.autograd.grad(run(made.task, fast, image, target), image)[0]


def assert_same_direction(found, expected):
    torch.testing.assert_close(found / found.norm(), expected / expected.norm(), rtol=1e-9, atol=1e-11)


def test_wishes_in_image_space_are_the_tasks_own_gradient():
    made = subject(inner_update="image", alpha=1.0)
    [found] = made.signal([(TRAIN, TEST)]).maps
    assert found.batch.target is TEST.target
    torch.testing.assert_close(found.fused, run(made.fusion, params_of(made.fusion), *TEST.sources))
    assert_same_direction(found.wishes, -task_wish(made, found.fused, TEST.target))


@pytest.mark.parametrize("hypergradient", ["forward", "reverse"])
def test_wishes_through_the_network_have_passed_its_tangent_kernel(hypergradient):
    made = subject(hypergradient=hypergradient, alpha=1.0)
    [found] = made.signal([(TRAIN, TEST)]).maps
    assert found.batch.target is TRAIN.target
    params = {name: param.requires_grad_() for name, param in params_of(made.fusion).items()}
    total = made.loss(run(made.fusion, params, *TRAIN.sources), TRAIN.sources).total
    fast = stepped(total, params)
    image, back = vjp(lambda own: run(made.fusion, own, *TEST.sources), fast)
    (pulled,) = back(task_wish(made, image, TEST.target))
    start = params_of(made.fusion)
    _, u = jvp(lambda own: run(made.fusion, own, *TRAIN.sources), (start,), (pulled,))
    assert_same_direction(found.wishes, -u)


@pytest.mark.parametrize("inner_update", ["network", "image"])
def test_the_gradient_is_the_meta_gradient(inner_update):
    made = subject(alpha=1.0, inner_update=inner_update)
    [found] = made.signal([(TRAIN, TEST)]).maps
    gradients = made.meta_gradient(TRAIN, TEST).gradients
    assert_same_direction(found.gradient, torch.cat([value.flatten() for value in gradients.values()]))


@pytest.mark.parametrize("inner_update", ["network", "image"])
@pytest.mark.parametrize("exchanged", [False, True])
def test_weights_are_asked_for_in_the_sources_own_order(inner_update, exchanged):
    pair = [scenes(seed, sources=3) for seed in (0, 1)]
    if exchanged:
        pair = [reorder_sources(batch, torch.tensor([[0, 1, 2], [2, 0, 1]])) for batch in pair]
    [found] = subject(sources=3, inner_update=inner_update).signal([pair]).maps
    own = scenes(int(inner_update == "image"), sources=3).sources
    assert found.asked.sum(1).abs().max() < 1e-12
    assert found.asked.abs().mean() == pytest.approx(1)
    one, other = (found.asked[:, [0]] - found.asked[:, [k]] for k in (1, 2))
    u = -found.wishes
    expected = torch.cat([-(own[0] - own[k]) * u for k in (1, 2)])
    assert_same_direction(torch.cat([one, other]), expected)


def test_the_other_inner_update_of_the_same_networks():
    image = subject(inner_update="image")
    network = subject(inner_lr=0.5)
    for name in ("fusion", "loss", "task"):
        getattr(network, name).load_state_dict(getattr(image, name).state_dict())
    for asking, other, word in ((image, network, "network"), (network, image, "image")):
        found, expected = asking.signal(PAIRS, inner_update=word), other.signal(PAIRS)
        assert found.one_sided == expected.one_sided
        assert same([each.asked for each in found.maps], [each.asked for each in expected.maps])
        assert asking.settings["inner_update"] != word


def test_a_setting_of_the_own_inner_update_is_none_of_the_others():
    assert subject(hypergradient="finite_difference").signal(PAIRS[:1], inner_update="image").maps
    assert subject(inner_update="image", image_lr=0.1).signal(PAIRS[:1], inner_update="network").maps


@pytest.mark.parametrize("inner_update", ["network", "image"])
@pytest.mark.parametrize("network", [BatchNormNet, DropoutNet])
def test_nothing_changes(network, inner_update):
    made = subject(network(), task=TinyTask(dropout=0.3))
    made.fusion_step(TRAIN)
    made.task.norm.eval()
    modules = made.fusion, made.loss, made.task
    made.fusion.head.weight.grad = torch.ones_like(made.fusion.head.weight)
    optimizers = [made.optimizer(name) for name in ("fusion", "task")]
    before, random, other = held(*modules, optimizers=optimizers), torch.get_rng_state(), copy.deepcopy(made)
    made.signal(PAIRS, inner_update=inner_update)
    assert same(held(*modules, optimizers=optimizers), before)
    assert torch.equal(torch.get_rng_state(), random)
    assert same(made.pending_state(), other.pending_state())
    found = made.meta_gradient(TRAIN, TEST)
    torch.set_rng_state(random)
    assert same(found.gradients, other.meta_gradient(TRAIN, TEST).gradients)


@needs_grid_sample_twice
def test_a_method_that_falls_back_does_so_again_in_training():
    made = subject(WarpNet())
    with pytest.warns(UserWarning, match="falling back to hypergradient='reverse'") as said:
        made.signal(PAIRS)
    assert len(said) == 1
    assert made.method.method == "forward"


def test_views_of_the_fusion_loss_are_passed_over():
    made = subject()
    train, test = (scenes(seed, view=(4, 4)) for seed in (0, 1))
    [found] = made.signal([(train, test)]).maps
    assert found.asked.shape == (2, 2, 8, 8)


def test_regions_of_boxes_and_elsewhere():
    class Boxed(nn.Module):
        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(torch.ones(()))

        def forward(self, fused, target):
            return (self.gain * fused).square().mean()

    boxes = [
        {"boxes": torch.tensor([[1.0, 2, 5, 6], [0, 0, 2, 2]]), "labels": torch.tensor([0, 7])},
        {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)},
    ]
    pair = [replace(batch, target=boxes) for batch in (TRAIN, TEST)]
    found = subject(task=Boxed()).signal([pair], ("ir", "vi"), ("person", "sign"))
    asked = found.maps[0].asked[0]
    inside = torch.zeros(8, 8, dtype=torch.bool)
    inside[2:6, 1:5] = True
    assert found.regions["person"]["vi"].mean == pytest.approx(float(asked[1, inside].mean()))
    inside[:2, :2] = True
    assert list(found.regions) == ["person", "7", ELSEWHERE]
    assert found.regions[ELSEWHERE]["ir"].mean == pytest.approx(float(asked[0, ~inside].mean()))
    assert found.regions[ELSEWHERE]["ir"].pairs == 1
    assert math.isnan(found.regions[ELSEWHERE]["ir"].t)


def test_classes_of_two_tasks_are_not_mixed():
    def box(left):
        return {"boxes": torch.tensor([[left, 0.0, left + 2, 4]]), "labels": torch.tensor([0])}

    class Boxed(nn.Module):
        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(torch.ones(()))

        def forward(self, fused, target):
            return (self.gain * fused).square().mean()

    target = {"near": [box(0), box(0)], "far": [box(4), box(4)]}
    pair = [replace(batch, target=target) for batch in (TRAIN, TEST)]
    found = subject(task=Boxed()).signal([pair], classes=["person"])
    asked = found.maps[0].asked
    assert list(found.regions) == ["far 0", "near 0", ELSEWHERE]
    assert found.regions["near 0"]["0"].mean == pytest.approx(float(asked[:, 0, :4, :2].mean()))
    assert found.regions["far 0"]["0"].mean == pytest.approx(float(asked[:, 0, :4, 4:6].mean()))


def test_pixels_of_no_class_belong_to_no_region():
    ids = TRAIN.target.clone()
    ids[:, :4] = 255
    ids[ids == 2] = 1
    found = subject(task=Ignoring()).signal([(replace(TRAIN, target=ids), TEST)])
    assert list(found.regions) == ["0", "1"]
    asked = found.maps[0].asked
    expected = torch.stack([asked[:, 0][ids == 1].mean(), asked[:, 1][ids == 1].mean()])
    torch.testing.assert_close(torch.tensor([found.regions["1"][k].mean for k in "01"]).double(), expected)


class Ignoring(TinyTask):
    """Leaves pixels without a label out."""

    def __init__(self):
        super().__init__(dropout=0.0)

    def forward(self, fused, target):
        maps = self.head(nn.functional.silu(self.norm(self.first(fused))))
        return nn.functional.cross_entropy(maps, target, ignore_index=255)


def test_means_over_pairs():
    one, none = Asked.of([1.0, 2.0, 6.0]), Asked.of([2.0, 2.0])
    assert (one.mean, one.pairs) == (3, 3)
    assert one.t == pytest.approx(3 / (math.sqrt(7) / math.sqrt(3)))
    assert none.t == math.inf
    found = subject().signal(PAIRS)
    gradients = [each.gradient / each.gradient.norm() for each in found.maps]
    cosines = [float(gradients[a] @ gradients[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    assert found.agreement == pytest.approx(sum(cosines) / 3)
    sides = [abs(float(each.wishes.mean())) / float(each.wishes.abs().mean()) for each in found.maps]
    assert found.one_sided == pytest.approx(sum(sides) / 3)
    assert math.isnan(subject().signal(PAIRS[:1]).agreement)


def test_pairs_without_labels_are_left_out():
    empty = replace(TEST, target=torch.full_like(TEST.target, 255))
    found = subject(task=Ignoring()).signal([(TRAIN, empty), (TRAIN, TEST)])
    assert len(found.maps) == 1
    with pytest.raises(metaloss.ConfigError, match="no pairs of batches were given with labels, of 1"):
        subject(task=Ignoring()).signal([(TRAIN, empty)])


class Copying(nn.Module):
    """Returns other weights than those that its total is made of."""

    def __init__(self):
        super().__init__()
        self.loss = loss_of()

    def forward(self, fused, sources):
        terms = self.loss(fused, sources)
        return terms._replace(weights=self.loss.propose(sources)["intensity"])


class Blind(TinyTask):
    """Sees nothing of the image."""

    def forward(self, fused, target):
        return super().forward(0 * fused, target)


def frozen():
    return PlainNet().requires_grad_(False)


@pytest.mark.parametrize(
    ("build", "inner_update", "error", "message"),
    [
        (lambda: learner("weighted_sum"), None, metaloss.ConfigError, "there is no fusion loss that could hear"),
        (
            lambda: learner(loss=metaloss.LearnableFusionLoss(weights="uniform")),
            None,
            metaloss.MetaGradientError,
            "no trainable parameter: with uniform weights",
        ),
        (lambda: learner(loss=Copying()), None, metaloss.ConfigError, "weights that Copying returns are not those"),
        (lambda: learner(frozen()), None, metaloss.MetaGradientError, "PlainNet has no trainable parameter"),
        (lambda: learner(task=Blind()), "image", metaloss.MetaGradientError, "is zero or not finite at these weights"),
        (
            lambda: learner(separate_fusion_learning=False),
            "image",
            metaloss.ConfigError,
            "no inner update of F that it could replace",
        ),
        (learner, "pixel", metaloss.ConfigError, "inner_update='pixel': choose one of"),
    ],
)
def test_what_it_refuses(build, inner_update, error, message):
    pair = [scenes(seed, dtype=torch.float32) for seed in (0, 1)]
    with pytest.raises(error, match=message):
        build().signal([pair], inner_update=inner_update)


def test_a_frozen_network_can_be_asked_in_image_space():
    assert subject(frozen()).signal(PAIRS, inner_update="image").regions


def test_what_it_refuses_around_the_learner(monkeypatch):
    made = subject()
    with pytest.raises(metaloss.ConfigError, match=r"signal: no pairs of batches were given$"):
        made.signal([])
    with pytest.raises(metaloss.ConfigError, match=r"signal: 3 names \(a, b, c\) for 2 sources"):
        made.signal(PAIRS[:1], ("a", "b", "c"))
    with torch.inference_mode(), pytest.raises(metaloss.MetaGradientError, match="inference_mode"):
        made.signal(PAIRS)
    monkeypatch.setattr("metaloss.training.signal.world_size", lambda: 2)
    with pytest.raises(metaloss.ConfigError, match="2 processes"):
        made.signal(PAIRS)
