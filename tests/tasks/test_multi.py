import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from toys import PlainNet, TinyGenerator, same, scenes

import metaloss
from metaloss.data import collate
from metaloss.errors import ConfigError, MetaGradientError
from metaloss.tasks import TaskAdapter, targets_of, task_loss


class Segmentation(metaloss.ModuleTask):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 3, 3, padding=1), F.cross_entropy)

    def evaluator(self):
        return Shares()


class Shares:
    """The share of right pixels, and how many scenes were seen."""

    def __init__(self):
        self.right = []

    def update(self, predictions, target):
        pairs = zip(predictions, target, strict=True)
        self.right += [float((image.argmax(0) == ids).float().mean()) for image, ids in pairs]

    def compute(self):
        return {"share": sum(self.right) / len(self.right), "scenes": len(self.right)}


class Brightness(TaskAdapter):
    """Named losses beside a number that is none; reads the sources beside the label."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.7))

    def targets(self, batch):
        return batch.target, batch.sources[0].mean((1, 2, 3))

    def forward(self, fused, target):
        wanted, level = target
        error = self.scale * fused.mean((1, 2, 3)) - wanted - level
        return {"loss_square": error.square().mean(), "loss_size": error.abs().mean(), "accuracy": error.sum()}


def batch(seg=True, bright=True, seed=0, size=4):
    """Labels for all scenes (True), for none (False), or for those whose numbers are given."""
    base = scenes(seed, batch=size)
    levels = torch.linspace(0, 1, size, dtype=torch.float64)
    targets = {}
    for name, present, values in (("seg", seg, base.target), ("bright", bright, levels)):
        if present is False:
            targets[name] = None
        else:
            targets[name] = values if present is True else [v if k in present else None for k, v in enumerate(values)]
    return metaloss.FusionBatch(sources=base.sources, target=targets)


def build(**settings):
    return metaloss.MultiTask({"seg": Segmentation(), "bright": Brightness()}, **settings).double()


def fused_of(given):
    return torch.stack(given.sources).mean(0).requires_grad_()


def alone(task, name, given, rows):
    """The loss of one task on some scenes, by that task alone."""
    part = metaloss.FusionBatch(
        sources=tuple(source[rows] for source in given.sources),
        target=torch.stack([given.target[name][row] for row in rows]),
    )
    return task_loss(task.tasks[name], fused_of(given)[rows], targets_of(task.tasks[name], part))


@pytest.mark.parametrize("weights", [None, {"seg": 0.3}, {"seg": 2.0, "bright": 0}])
def test_fixed_weights_add_what_the_tasks_measure(weights):
    task, given = build(weights=weights), batch()
    losses = task(fused_of(given), task.targets(given))
    assert set(losses) == {"seg/loss", "bright/loss_square", "bright/loss_size", "bright/accuracy"}
    expected = sum((weights or {}).get(name, 1) * alone(task, name, given, [0, 1, 2, 3]) for name in task.tasks)
    assert torch.allclose(task_loss(task, fused_of(given), task.targets(given)), expected)


def test_uncertainty_weights_are_those_of_the_paper_and_learn():
    task, given = build(weights="uncertainty"), batch()
    with torch.no_grad():
        task.log_variances["seg"].fill_(0.4)
        task.log_variances["bright"].fill_(-1.1)
    total = task_loss(task, fused_of(given), task.targets(given))
    losses = {name: alone(task, name, given, [0, 1, 2, 3]).item() for name in task.tasks}
    sigmas = {"seg": 0.4, "bright": -1.1}
    expected = sum(losses[name] / torch.tensor(s).exp().item() + s / 2 for name, s in sigmas.items())
    assert total.item() == pytest.approx(expected, rel=1e-6)
    total.backward()
    slope = 0.5 - losses["seg"] * torch.tensor(-0.4).exp().item()
    assert task.log_variances["seg"].grad.item() == pytest.approx(slope, rel=1e-6)
    assert sum(name.startswith("log_variances") for name, _ in task.named_parameters()) == 2


@pytest.mark.parametrize(("seg", "bright"), [([0, 2], True), (True, [3]), ([1], [0, 1, 2]), ([0, 3], False)])
def test_a_task_sees_the_scenes_that_have_labels(seg, bright):
    task, given = build(), batch(seg, bright)
    rows = {name: [0, 1, 2, 3] if x is True else x or [] for name, x in (("seg", seg), ("bright", bright))}
    expected = sum(alone(task, name, given, some) for name, some in rows.items() if some)
    image = fused_of(given)
    total = task_loss(task, image, task.targets(given))
    assert torch.allclose(total, expected)
    (gradient,) = torch.autograd.grad(total, image)
    seen = sorted({row for some in rows.values() for row in some})
    assert [row for row in range(4) if gradient[row].any()] == seen


def test_without_any_label_there_is_a_zero_with_a_graph():
    task, given = build(weights="uncertainty"), batch(False, False)
    image = fused_of(given)
    total = task_loss(task, image, task.targets(given))
    assert total.item() == 0
    (gradient,) = torch.autograd.grad(total, image)
    assert gradient.shape == image.shape
    assert not gradient.any()
    assert not task.labelled(given)
    assert task.labelled(batch(False, [2]))


def learner(task, **settings):
    loss = metaloss.LearnableFusionLoss(TinyGenerator()).double()
    settings = {"inner_lr": 0.5, **settings}
    return metaloss.MetaLearner(fusion=PlainNet().double(), loss=loss, task=task, **settings)


@pytest.mark.parametrize("method", ["forward", "reverse", "finite_difference"])
def test_meta_steps_with_labels_missing(method):
    subject = learner(build(weights="uncertainty"), hypergradient=method)
    for labels in ((True, True), ([0], [1, 2]), (False, True)):
        gradient = subject.meta_gradient(batch(*labels, seed=1), batch(*labels, seed=2)).gradients
        assert all(value.isfinite().all() for value in gradient.values())
        assert any(value.any() for value in gradient.values())
    nothing = subject.meta_gradient(batch(seed=1), batch(False, False, seed=2)).gradients
    assert set(nothing) == {name for name, _ in subject.loss.named_parameters()}
    assert not any(value.any() for value in nothing.values())
    subject.meta_step(batch(False, False, seed=1), batch(seed=2))
    subject.fusion_step(batch(False, False))


def test_a_task_that_ignores_the_image_is_still_refused():
    task = metaloss.MultiTask({"seg": metaloss.ModuleTask(nn.Identity(), lambda image, ids: 0 * image.mean())})
    given = batch()
    given = metaloss.FusionBatch(sources=given.sources, target={"seg": given.target["seg"]})
    with pytest.raises(MetaGradientError, match="zero"):
        learner(task).meta_gradient(given, given)


def test_forward_and_reverse_agree_where_labels_are_missing():
    task = build(weights="uncertainty")
    first, second = (learner(copy.deepcopy(task), hypergradient=method) for method in ("forward", "reverse"))
    second.fusion.load_state_dict(first.fusion.state_dict())
    second.loss.load_state_dict(first.loss.state_dict())
    pair = batch([0, 1], True, seed=1), batch(True, [2], seed=2)
    mine, other = (subject.meta_gradient(*pair).gradients for subject in (first, second))
    for name, value in other.items():
        assert torch.allclose(mine[name], value, rtol=1e-10, atol=1e-14)


def test_predictions_and_metrics_by_task_name():
    task, given = build(), batch([0, 2, 3], True)
    predictions = task.predict(fused_of(given))
    assert len(predictions) == 4
    assert all(set(each) == {"seg"} for each in predictions)
    evaluator = task.evaluator()
    evaluator.update(predictions, task.targets(given))
    evaluator.update(predictions, task.targets(batch(False, True)))
    metrics = evaluator.compute()
    assert metrics["seg/scenes"] == 3
    right = [(predictions[row]["seg"].argmax(0) == given.target["seg"][row]).double().mean() for row in (0, 2, 3)]
    assert metrics["seg/share"] == pytest.approx(float(sum(right)) / 3)
    assert task.evaluator().compute() == {}


def test_a_task_that_needs_no_labels_needs_no_entry():
    given = scenes(batch=2)
    given = metaloss.FusionBatch(sources=given.sources, target={"seg": [given.target[0], None]})
    task = metaloss.MultiTask({"seg": Segmentation(), "rec": metaloss.ReconstructionTask(Twice())}).double()
    target = task.targets(given)
    assert same(list(target["rec"]), list(given.sources))
    assert task_loss(task, fused_of(given), target).isfinite()


class Twice(nn.Module):
    def forward(self, fused):
        return fused, fused


def test_batches_of_a_data_set_and_moves():
    items = [
        {"sources": (torch.rand(1, 8, 8),) * 2, "target": {"seg": torch.zeros(8, 8, dtype=torch.int64), "det": None}},
        {
            "sources": (torch.rand(1, 8, 8),) * 2,
            "target": {"seg": None, "det": {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}},
        },
    ]
    given = collate(items)
    count = metaloss.ModuleTask(nn.Identity(), lambda fused, found: fused.mean() * len(found))
    task = metaloss.MultiTask({"seg": Segmentation(), "det": count})
    target = task.targets(given)
    assert (target["seg"].scenes, target["det"].scenes) == ((0,), (1,))
    assert target["seg"].target.shape == (1, 8, 8)
    moved = metaloss.FusionBatch(sources=given.sources, target=target).to("cpu")
    assert type(moved.target["seg"]) is type(target["seg"])
    assert task_loss(task, torch.rand(2, 1, 8, 8), moved.target).isfinite()


@pytest.mark.parametrize(
    ("tasks", "weights", "reason"),
    [
        ({}, None, "at least one task"),
        ({"seg": 3}, None, "'seg' is a int: expected a module"),
        ({"loss_a": nn.Identity()}, None, "without 'loss'"),
        ({"a/b": nn.Identity()}, None, "letters, digits and _"),
        ({"train": nn.Identity()}, None, "no name of torch's nn.Module"),
        ({"seg": nn.Identity()}, {"det": 1}, "names 'det': the tasks are seg"),
        ({"seg": nn.Identity()}, {"seg": -1}, "weight -1 of 'seg'"),
        ({"seg": nn.Identity()}, "uncertain", "expected numbers by task name, or 'uncertainty'"),
    ],
)
def test_what_cannot_be_used(tasks, weights, reason):
    with pytest.raises(ConfigError, match=reason):
        metaloss.MultiTask(tasks, weights=weights)


def test_targets_of_another_form():
    task, given = build(), batch()
    with pytest.raises(ConfigError, match="the target is a Tensor: expected a dict by task name"):
        task(fused_of(given), given.target["seg"])
    with pytest.raises(ConfigError, match="an entry 'det': the tasks are seg, bright"):
        task(fused_of(given), {"det": None})
    with pytest.raises(metaloss.ShapeError, match="2 entries for 4 scenes"):
        task(fused_of(given), {"seg": [None, given.target["seg"][0]]})


def test_by_name():
    task = metaloss.build_task("multi", tasks={"seg": Segmentation()}, weights={"seg": 2})
    assert type(task) is metaloss.MultiTask
