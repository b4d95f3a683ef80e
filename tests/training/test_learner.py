import copy

import pytest
import torch
from torch import nn
from toys import BatchNormNet, DropoutNet, PlainNet, Scenes, TinyGenerator, held, learner, loss_of, same, scenes

import metaloss
from metaloss.hypergradient import forward, reverse

FLOATS = [scenes(seed, dtype=torch.float32) for seed in range(4)]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"inner_steps": 0}, metaloss.ConfigError, "inner_steps=0: expected a whole number"),
        ({"inner_steps": 1.5}, metaloss.ConfigError, r"inner_steps=1\.5"),
        ({"accumulate": -1}, metaloss.ConfigError, "accumulate=-1"),
        ({"outer_update": "sgd"}, metaloss.ConfigError, "outer_update='sgd': choose one of .*max_normalised_sgd"),
        ({"on_nonfinite": "ignore"}, metaloss.ConfigError, "on_nonfinite='ignore'"),
        ({"inner_rule": "sdg"}, metaloss.ConfigError, "did you mean 'sgd'"),
        ({"inner_lr": -1.0}, metaloss.ConfigError, "zero or more"),
        ({"inner_lr": (0.1, -1.0)}, metaloss.ConfigError, "zero or more"),
        ({"inner_lr": (0.1, 0.1, 0.1)}, metaloss.ConfigError, "a number or 'optimizer', or a pair"),
        ({"inner_lr": "fast"}, metaloss.ConfigError, "a number or 'optimizer', or a pair"),
        ({"hypergradient": "foward"}, metaloss.PluginError, "did you mean 'forward'"),
    ],
)
def test_settings_out_of_their_range(settings, error, message):
    with pytest.raises(error, match=message):
        learner(**settings)


@pytest.mark.parametrize("method", ["auto", "forward", "reverse", "finite_difference"])
def test_the_methods_chosen_by_a_word_agree(method):
    subject = learner(hypergradient=method)
    torch.manual_seed(1)
    found = subject.meta_gradient(*FLOATS[:2])
    torch.manual_seed(1)
    expected = forward(subject.problem, *FLOATS[:2])
    assert list(found.gradients) == [name for name, _ in subject.loss.named_parameters()]
    for name, value in found.gradients.items():
        torch.testing.assert_close(value, expected.gradients[name], rtol=1e-2, atol=1e-7)


def test_rates_of_fusion_and_task_can_differ():
    for given in ((0.5, 0.0), [0.5, 0.0]):
        problem = learner(inner_lr=given).problem
        params = {"a": torch.ones(1)}
        assert problem.fusion_rule(params, params, None)[0]["a"].item() == 0.5
        assert problem.task_rule(params, params, None)[0]["a"].item() == 1.0


def test_meta_step_is_one_step_on_the_meta_gradient():
    subject = learner(loss_optimizer=None, lr=0.1)
    optimizer = torch.optim.SGD(subject.loss.parameters(), lr=0.1)
    subject.use_optimizer("loss", optimizer)
    before = copy.deepcopy(dict(subject.loss.named_parameters()))
    torch.manual_seed(1)
    gradient = subject.meta_gradient(*FLOATS[:2])
    torch.manual_seed(1)
    values = subject.meta_step(*FLOATS[:2])
    for name, param in subject.loss.named_parameters():
        torch.testing.assert_close(param, before[name] - 0.1 * gradient.gradients[name], rtol=1e-6, atol=0)
    assert list(values) == ["inner_loss", "task_inner_loss", "outer_loss"]
    assert values["outer_loss"] == gradient.outer_loss


def test_what_the_steps_return_is_detached_and_scalar():
    subject = learner(BatchNormNet())
    values = {**subject.meta_step(*FLOATS[:2]), **subject.fusion_step(FLOATS[2])}
    assert {"loss", "intensity", "gradient", "task_loss", "weight_0", "weight_1", "entropy", "outer_loss"} < set(values)
    assert all(value.shape == () and not value.requires_grad for value in values.values())
    assert float(values["weight_0"] + values["weight_1"]) == pytest.approx(1)
    assert 0 < values["entropy"] <= 1


@pytest.mark.parametrize("outer_update", ["optimizer", "max_normalised_sgd"])
def test_accumulated_meta_gradients_are_averaged(outer_update):
    subject = learner(task=learner().task.eval(), accumulate=2, outer_update=outer_update, lr=0.1)
    if outer_update == "optimizer":
        subject.use_optimizer("loss", torch.optim.SGD(subject.loss.parameters(), lr=0.1))
    gradients = [subject.meta_gradient(FLOATS[k], FLOATS[k + 1]).gradients for k in (0, 2)]
    before = copy.deepcopy(dict(subject.loss.named_parameters()))
    subject.meta_step(*FLOATS[:2])
    assert same(dict(subject.loss.named_parameters()), before)
    subject.meta_step(*FLOATS[2:])
    mean = {name: (gradients[0][name] + gradients[1][name]) / 2 for name in before}
    largest = max(float(value.abs().max()) for value in mean.values()) if outer_update != "optimizer" else 1.0
    for name, param in subject.loss.named_parameters():
        torch.testing.assert_close(param, before[name] - 0.1 * mean[name] / largest, rtol=1e-5, atol=1e-8)
    changed = copy.deepcopy(dict(subject.loss.named_parameters()))
    subject.meta_step(*FLOATS[:2])
    assert same(dict(subject.loss.named_parameters()), changed)


def test_two_inner_steps():
    subject = learner(DropoutNet(), inner_steps=2, hypergradient="forward")
    torch.manual_seed(1)
    found = subject.meta_gradient(*FLOATS[:2])
    torch.manual_seed(1)
    expected = reverse(subject.problem, *FLOATS[:2])
    once = learner(subject.fusion, loss=subject.loss, task=subject.task).meta_gradient(*FLOATS[:2])
    for name, value in found.gradients.items():
        torch.testing.assert_close(value, expected.gradients[name], rtol=1e-3, atol=1e-7)
    assert not same(found.gradients, once.gradients)


def test_default_optimizers_are_built_when_needed_and_given_ones_are_used():
    subject = learner()
    subject.fusion.head.bias.requires_grad_(False)
    optimizer = subject.optimizer("fusion")
    assert isinstance(optimizer, torch.optim.Adam)
    assert subject.optimizer("fusion") is optimizer
    assert len(optimizer.param_groups[0]["params"]) == len(list(subject.fusion.parameters())) - 1
    mine = torch.optim.SGD(subject.task.parameters(), lr=1.0)
    assert learner(task=subject.task, task_optimizer=mine).optimizer("task") is mine
    assert isinstance(learner(outer_update="max_normalised_sgd").optimizer("loss"), torch.optim.SGD)


def test_weights_are_reported_by_the_data_sets_own_order():
    class FirstSource(TinyGenerator):
        """Weighs by how bright a source is."""

        def forward(self, *sources):
            return torch.cat([source.mean((1, 2, 3), keepdim=True).expand_as(source) for source in sources], 1).softmax(
                1
            )

    bright, dark = torch.full((2, 1, 8, 8), 0.9), torch.full((2, 1, 8, 8), 0.1)
    mixed = [torch.stack([a[0], b[1]]) for a, b in ((bright, dark), (dark, bright))]
    target, order = FLOATS[0].target, torch.tensor([[0, 1], [1, 0]])
    subject = learner(loss=metaloss.LearnableFusionLoss(FirstSource()))
    plain = subject.fusion_step(metaloss.FusionBatch((bright, dark), target))
    swapped = subject.fusion_step(metaloss.FusionBatch(tuple(mixed), target, order=order))
    assert float(plain["weight_0"]) == pytest.approx(float(torch.tensor([0.9, 0.1]).softmax(0)[0]))
    assert float(swapped["weight_0"]) == pytest.approx(float(plain["weight_0"]))


def test_uniform_weights_cannot_be_stepped():
    subject = learner(loss=metaloss.LearnableFusionLoss(weights="uniform"))
    assert not subject.learns_loss
    with pytest.raises(metaloss.MetaGradientError, match=r"no trainable parameter: .*uniform"):
        subject.meta_step(*FLOATS[:2])


def test_a_network_of_another_calling_form_is_explained():
    class Wrong(PlainNet):
        def forward(self, *sources):
            return [super().forward(*sources)]

    with pytest.raises(metaloss.ShapeError, match=r"Wrong returned list: .*metaloss\.Adapted"):
        learner(Wrong()).meta_step(*FLOATS[:2])

    class Smaller(PlainNet):
        def forward(self, *sources):
            return super().forward(*sources)[..., 1:]

    with pytest.raises(metaloss.ShapeError, match=r"Smaller fused sources of \(8, 8\) into an image of \(8, 7\)"):
        learner(Smaller()).fusion_step(FLOATS[0])


def steps(subject):
    values = [subject.meta_step(*FLOATS[:2]), subject.fusion_step(FLOATS[2]), subject.meta_step(*FLOATS[2:])]
    return [{name: float(value) for name, value in each.items()} for each in values]


def everything(subject):
    return held(subject.fusion, subject.loss, subject.task, optimizers=[subject.optimizer(n) for n in NAMES])


NAMES = ("fusion", "loss", "task")


def test_a_saved_state_goes_on_bit_for_bit():
    subject = learner(DropoutNet(), accumulate=2)
    steps(subject)
    subject.meta_step(*FLOATS[:2])
    state = copy.deepcopy(subject.state_dict())
    expected = steps(subject), everything(subject)
    torch.manual_seed(99)
    other = learner(DropoutNet(), accumulate=2)
    other.load_state_dict(state)
    assert (steps(other), True) == (expected[0], same(everything(other), expected[1]))


def test_a_fresh_state_resets_a_used_learner():
    subject = learner(DropoutNet())
    state = copy.deepcopy(subject.state_dict())
    expected = steps(subject), everything(subject)
    subject.load_state_dict(state)
    assert (steps(subject), True) == (expected[0], same(everything(subject), expected[1]))


def test_schedulers_are_saved_too():
    def make():
        subject = learner()
        subject.schedulers.append(torch.optim.lr_scheduler.StepLR(subject.optimizer("fusion"), 1, gamma=0.1))
        return subject

    subject = make()
    subject.fit(Scenes(4), epochs=2, meta_steps=1)
    assert subject.optimizer("fusion").param_groups[0]["lr"] == pytest.approx(1e-4)
    other = make()
    other.load_state_dict(subject.state_dict())
    assert other.optimizer("fusion").param_groups[0]["lr"] == pytest.approx(1e-4)
    assert other.schedulers[0].last_epoch == 2
    with pytest.raises(metaloss.CheckpointError, match="1 schedulers and the learner 0"):
        learner().load_state_dict(subject.state_dict())


def test_a_state_of_another_network_changes_nothing():
    subject = learner(DropoutNet())
    steps(subject)
    before = everything(subject)
    good = copy.deepcopy(subject.state_dict())
    for value in good["fusion"].values():
        value += 1
    two = torch.optim.SGD(list(subject.fusion.parameters())[:2], lr=1.0).state_dict()
    cases = [
        ({key: value for key, value in good.items() if key != "loss"}, r"lacks \['loss'\]"),
        ({**good, "fusion": BatchNormNet().state_dict()}, r"fusion network is not this DropoutNet: .*unexpected"),
        ({**good, "loss": loss_of(3).state_dict()}, r"loss network .*of another shape"),
        ({**good, "task": nn.Linear(1, 1).state_dict()}, r"task network is not this TinyTask: .*missing"),
        ({**good, "optimizers": {**good["optimizers"], "task": two}}, r"saved task optimizer has .* of \[2\] tensors"),
    ]
    random = torch.get_rng_state()
    for state, message in cases:
        with pytest.raises(metaloss.CheckpointError, match=message):
            subject.load_state_dict(state)
        assert same(everything(subject), before)
        assert torch.equal(torch.get_rng_state(), random)
