"""A fresh task network on fixed images: training, resuming and scoring, with networks of one layer."""

import pytest
import torch
from torch import nn

import metaloss
from metaloss.data import SyntheticScenes, write_image
from metaloss.errors import CheckpointError, ConfigError, DataError
from metaloss.evaluation.downstream import (
    Budget,
    FolderImage,
    Images,
    average_image,
    maximum_image,
    score_task,
    source_image,
    train_task,
)

SCENES = SyntheticScenes(length=4, size=(32, 32), seed=0)
BUDGET = Budget(epochs=3, batch_size=2, size=(16, 16))


class Share:
    """The share of right pixels."""

    def __init__(self):
        self.right = []

    def update(self, predictions, target):
        self.right.append((predictions.argmax(1) == target).float().mean())

    def compute(self):
        return {"right": float(torch.stack(self.right).mean())}


class Task(metaloss.ModuleTask):
    def __init__(self):
        super().__init__(nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Dropout(0.5)), nn.functional.cross_entropy)

    def evaluator(self):
        return Share()


def fresh():
    torch.manual_seed(0)
    task = Task()
    return task, torch.optim.Adam(task.parameters(), lr=1e-2)


def trained(state=None, budget=BUDGET, image=average_image, seed=0):
    task, optimizer = fresh()
    train_task(task, optimizer, Images(SCENES, image), budget, seed=seed, state=state)
    return task


def weights(task):
    return torch.cat([param.detach().flatten() for param in task.parameters()])


def test_the_images_of_an_item() -> None:
    item = SCENES[0]
    first, second = item["sources"]
    assert torch.equal(source_image(1)(item), second)
    assert torch.equal(average_image(item), (first + second) / 2)
    assert torch.equal(maximum_image(item), first.maximum(second))


def test_a_task_sees_one_image_and_its_own_target() -> None:
    item, seen = SCENES[1], Images(SCENES, maximum_image)[1]
    assert all(torch.equal(source, maximum_image(item)) for source in seen["sources"])
    assert torch.equal(seen["target"], item["target"])
    assert len(Images(SCENES, maximum_image)) == len(SCENES)


def test_training_is_plain_training_on_the_same_order() -> None:
    task, optimizer = fresh()
    task.module[1].p = reference_p = 0.0
    train_task(task, optimizer, Images(SCENES, average_image), BUDGET, seed=3)
    reference, plain = fresh()
    reference.module[1].p = reference_p
    episodes = metaloss.data.Episodes(
        dataset=Images(SCENES, average_image), batch_size=2, meta_steps=0, task_size=(16, 16), exchange=False, seed=3
    )
    for epoch in range(3):
        for batch in episodes.fusion(epoch):
            plain.zero_grad()
            reference(batch.sources[0], batch.target).backward()
            plain.step()
    torch.testing.assert_close(weights(task), weights(reference), rtol=0, atol=0)


def test_a_stopped_training_goes_on_to_the_same_weights(tmp_path) -> None:
    state = tmp_path / "state.pth"
    whole = trained(tmp_path / "whole.pth")
    trained(state, Budget(epochs=1, batch_size=2, size=(16, 16)))
    torch.rand(7)  # another process stands elsewhere
    assert torch.equal(weights(trained(state)), weights(whole))


def test_the_seed_orders_the_scenes() -> None:
    assert not torch.equal(weights(trained(seed=0)), weights(trained(seed=1)))


def test_a_state_of_another_training_is_refused(tmp_path) -> None:
    metaloss.runtime.files.save(tmp_path / "state.pth", {"task": {"other": torch.ones(1)}, "epoch": 1})
    with pytest.raises(CheckpointError, match=r"state\.pth: not from this training"):
        trained(tmp_path / "state.pth")


def test_scoring_leaves_the_task_as_it_was() -> None:
    task = trained()
    before = weights(task).clone()
    random = torch.get_rng_state()
    first = score_task(task, Images(SCENES, average_image), BUDGET)
    assert first == score_task(task, Images(SCENES, average_image), BUDGET)
    assert 0 < first["right"] <= 1
    assert task.training
    assert task.module[1].training
    assert torch.equal(weights(task), before)
    assert torch.equal(torch.get_rng_state(), random)


def test_images_of_a_folder(tmp_path) -> None:
    item = SCENES[0]
    write_image(tmp_path / f"{item['names']}.png", item["sources"][0])
    image = FolderImage(tmp_path)
    torch.testing.assert_close(image(item), item["sources"][0], rtol=0, atol=1 / 255)
    with pytest.raises(DataError, match="no fused image for strange, stranger of 3 scenes") as error:
        image.check([item["names"], "strange", "stranger"])
    assert str(tmp_path) in str(error.value)


def test_a_fused_image_of_another_size_is_refused(tmp_path) -> None:
    item = SCENES[0]
    write_image(tmp_path / f"{item['names']}.png", torch.rand(1, 8, 9))
    with pytest.raises(DataError, match="is 9x8 pixels, its sources are 32x32"):
        FolderImage(tmp_path)(item)


def test_a_folder_that_is_not_there(tmp_path) -> None:
    with pytest.raises(DataError, match="no such folder of fused images"):
        FolderImage(tmp_path / "absent")


@pytest.mark.parametrize("setting", [{"epochs": 0}, {"epochs": 1.5}, {"epochs": 1, "batch_size": 0}])
def test_a_budget_of_nothing_is_refused(setting) -> None:
    with pytest.raises(ConfigError, match="expected a whole number of at least 1"):
        Budget(**setting)
