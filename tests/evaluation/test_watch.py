"""The callback that keeps pictures and weights of a training by ``fit``."""

import json

import pytest
import torch
from torch import nn
from torch.nn import functional as F

pytest.importorskip("matplotlib")

import metaloss
from metaloss.data import SyntheticScenes, read_image
from metaloss.evaluation import Watch
from metaloss.evaluation.regions import weights_by_region
from metaloss.report.page.run import read_run
from metaloss.runtime import files

SCENES = SyntheticScenes(4, size=(32, 40))
HELD_OUT = SyntheticScenes(3, size=(32, 40), seed=5)


class Blend(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, *sources):
        return self.conv(torch.cat(sources, 1)).sigmoid()


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, *sources):
        return self.conv(torch.cat(sources, 1)).softmax(1)


def trained(folder, watch):
    torch.manual_seed(0)
    learner = metaloss.MetaLearner(
        fusion=Blend(),
        loss=metaloss.LearnableFusionLoss(Generator()),
        task=metaloss.ModuleTask(nn.Conv2d(1, 4, 3, padding=1), F.cross_entropy),
        lr=0.01,
    )
    learner.fit(SCENES, epochs=2, meta_steps=1, work_dir=folder, callbacks=[watch] if watch else [])
    return learner


def test_it_keeps_weights_and_pictures_and_changes_nothing(tmp_path):
    alone = trained(tmp_path / "alone", None)
    watch = Watch(HELD_OUT, tmp_path / "watched", count=2)
    learner = trained(tmp_path / "watched", watch)
    for name, value in files.load(tmp_path / "alone" / "epoch_2.pth")["fusion"].items():
        assert torch.equal(value, learner.fusion.state_dict()[name])
    assert all(torch.equal(*pair) for pair in zip(alone.loss.parameters(), learner.loss.parameters(), strict=True))
    assert learner.fusion.training
    lines = [json.loads(line) for line in (watch.folder / "scalars.json").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 1, 2, 2]
    last, sums = lines[-1], {}
    for item in HELD_OUT:
        weights = learner.loss.generator(*(source[None] for source in item["sources"])).detach()
        for name, mean, pixels in weights_by_region(weights, item["target"][None], HELD_OUT.sources, HELD_OUT.classes):
            total, count = sums.get(name, (0, 0))
            sums[name] = total + float(mean) * pixels, count + pixels
    assert {name for name in last if name.startswith("weight/")} == sums.keys()
    for name, (total, count) in sums.items():
        assert last[name] == pytest.approx(total / count, rel=1e-5), name
    assert last["weight_0"] + last["weight_1"] == pytest.approx(1, rel=1e-5)
    pictures = sorted(path.name for path in (watch.folder / "vis_image").iterdir())
    assert len(pictures) == 4  # two scenes, two epochs
    strip = read_image(watch.folder / "vis_image" / pictures[-1])
    assert strip.shape == (3, 32, 5 * 40)
    assert torch.allclose(strip[0, :, :40], HELD_OUT[1]["sources"][0][0], atol=1 / 255)


def test_a_report_shows_it(tmp_path):
    trained(tmp_path, Watch(HELD_OUT, tmp_path, count=1))
    run = read_run(tmp_path, "mine")
    assert (run.notes, list(run.sources), run.scalars.last) == ([], ["ir", "vi"], 2)
    assert list(run.scalars.epochs["epoch/meta/outer_loss"]) == [1, 2]
    assert list(run.scalars.epochs["epoch/val/spread/vi"]) == [1, 2]
    assert run.first["meta_steps"] == "1"
    assert [list(epochs) for epochs in run.pictures.values()] == [[1, 2]]
