import pytest
import torch
from torch import nn
from toys import TinyTask, held, same, scenes

import metaloss
from metaloss.tasks import TaskAdapter, can_be_scored, targets_of, task_loss


class Returning(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, fused, target):
        return self.value


IMAGE = torch.rand(1, 1, 4, 4)


def test_a_scalar_is_the_loss():
    assert task_loss(Returning(torch.tensor(2.0)), IMAGE, None).item() == 2


def test_of_a_mapping_the_losses_are_averaged_and_summed():
    output = {"loss_cls": torch.tensor([1.0, 3.0]), "aux.loss": torch.tensor(4.0), "accuracy": torch.tensor(100.0)}
    assert task_loss(Returning(output), IMAGE, None).item() == 6


class Indexing(nn.Module):
    """A plain module that has three classes, and indexes with the ids it is given."""

    def __init__(self, loss):
        super().__init__()
        self.head, self.loss = nn.Conv2d(1, 3, 1), loss

    def forward(self, fused, target):
        return self.loss(self.head(fused), target)


def nothing(logits, target):
    return [logits][int(target.max())].sum()


@pytest.mark.parametrize(
    "loss",
    [
        nn.functional.cross_entropy,
        lambda logits, ids: -logits.log_softmax(1).gather(1, ids[:, None]).mean(),
        lambda logits, ids: (logits.movedim(1, -1) * nn.functional.one_hot(ids, 3)).mean(),
    ],
)
def test_a_label_that_a_plain_module_has_no_class_for(loss):
    ids = torch.tensor([[[0, 1], [2, 7]]])
    task = Indexing(loss)
    with pytest.raises(metaloss.DataError, match=r"Indexing: .* the batch's target has ids from 0 to 7; correct the"):
        task_loss(task, IMAGE[..., :2, :2], ids)
    assert task_loss(task, IMAGE[..., :2, :2], ids.clamp_max(2)).isfinite()
    with pytest.raises(IndexError, match="list index out of range"):  # an error of another kind is left as it is
        task_loss(Indexing(nothing), IMAGE[..., :2, :2], ids)


class Predicting(metaloss.TaskAdapter):
    def predict(self, fused):
        return fused


class Scored(Predicting):
    def evaluator(self):
        return None


def test_whether_a_task_can_be_scored_is_asked_in_one_place():
    module = metaloss.ModuleTask(nn.Conv2d(1, 3, 1), nn.functional.cross_entropy)
    assert [can_be_scored(task) for task in (nn.Conv2d(1, 3, 1), TaskAdapter(), Predicting(), module)] == [False] * 4
    assert can_be_scored(Scored())
    assert can_be_scored(metaloss.ReconstructionTask())
    module.evaluator = lambda: None  # given to the one object
    assert can_be_scored(module)


@pytest.mark.parametrize(
    ("output", "error", "message"),
    [
        (torch.ones(3), metaloss.ShapeError, r"shape \(3,\): expected a scalar mean"),
        (torch.ones(1), metaloss.ShapeError, r"shape \(1,\)"),
        ({"accuracy": torch.ones(())}, metaloss.ConfigError, r"\['accuracy'\]: no key contains 'loss'"),
        ((torch.ones(()),), metaloss.ConfigError, "returned tuple: expected a scalar"),
        (None, metaloss.ConfigError, "returned NoneType"),
    ],
)
def test_what_is_not_a_loss(output, error, message):
    with pytest.raises(error, match=message):
        task_loss(Returning(output), IMAGE, None)


def test_targets_of_adapters_and_plain_modules():
    class Reconstructs(TaskAdapter):
        def targets(self, batch):
            return batch.sources

    batch = scenes()
    assert targets_of(TinyTask(), batch) is batch.target
    assert targets_of(TaskAdapter(), batch) is batch.target
    assert targets_of(Reconstructs(), batch) is batch.sources


def test_an_unfinished_adapter_says_what_it_lacks():
    with pytest.raises(metaloss.ConfigError, match=r"TaskAdapter defines no forward"):
        TaskAdapter()(IMAGE, None)
    with pytest.raises(metaloss.ConfigError, match=r"TaskAdapter defines no predict"):
        TaskAdapter().predict(IMAGE)
    with pytest.raises(metaloss.ConfigError, match=r"TaskAdapter defines no evaluator"):
        TaskAdapter().evaluator()


def test_module_task_is_a_module_and_a_loss_function():
    network = nn.Sequential(nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3), nn.Dropout(0.5))
    task = metaloss.ModuleTask(network, nn.functional.cross_entropy)
    target = torch.zeros(1, 4, 4, dtype=torch.int64)
    before, state = held(task), torch.get_rng_state()
    predicted = task.predict(IMAGE)
    assert not predicted.requires_grad
    assert same(held(task), before)
    assert torch.equal(torch.get_rng_state(), state)
    network.eval()
    assert torch.equal(predicted, network(IMAGE))
    assert torch.equal(task(IMAGE, target), nn.functional.cross_entropy(network(IMAGE), target))
