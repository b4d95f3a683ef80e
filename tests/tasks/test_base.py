import pytest
import torch
from torch import nn
from toys import TinyTask, held, same, scenes

import metaloss
from metaloss.tasks import TaskAdapter, targets_of, task_loss


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
