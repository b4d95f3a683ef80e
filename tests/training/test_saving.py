import pytest
import torch
from torch import nn
from toys import PlainNet

import metaloss
from metaloss.errors import CheckpointError, MetaGradientError
from metaloss.plugins import load_generator
from metaloss.runtime import files


def learner():
    torch.manual_seed(1)
    task = metaloss.ModuleTask(nn.Conv2d(1, 1, 1), nn.functional.mse_loss)
    return metaloss.MetaLearner(fusion=PlainNet(), loss=metaloss.LearnableFusionLoss(), task=task, lr=1e-3)


ITEMS = [{"sources": (torch.rand(1, 16, 16), torch.rand(1, 16, 16)), "target": torch.rand(1, 16, 16)} for _ in range(2)]


def test_what_is_saved_is_a_checkpoint_and_can_be_taken_up(tmp_path):
    trained = learner()
    trained.fit(ITEMS, epochs=1, meta_steps=1, work_dir=tmp_path / "run")
    trained.save(tmp_path / "deep" / "mine.pth")
    ours, theirs = files.load(tmp_path / "deep" / "mine.pth"), files.load(tmp_path / "run" / "epoch_1.pth")
    assert ours.keys() == theirs.keys()
    assert ours["metaloss"] == theirs["metaloss"]  # the data's fingerprint and the settings as well
    assert ours["progress"]["epoch"] == 1
    again = learner()
    again.load_state_dict(ours)
    assert all(torch.equal(a, b) for a, b in zip(again.fusion.parameters(), trained.fusion.parameters(), strict=True))
    for each in (trained, again):
        torch.manual_seed(5)
        each.fusion_step(metaloss.data.collate(ITEMS))
    assert all(torch.equal(a, b) for a, b in zip(again.fusion.parameters(), trained.fusion.parameters(), strict=True))
    generator = load_generator(tmp_path / "deep" / "mine.pth")
    saved = {name: value for name, value in ours["loss"].items() if name.startswith("generator.")}
    assert all(torch.equal(saved.pop(f"generator.{name}"), value) for name, value in generator.state_dict().items())
    assert not saved


def test_a_learner_that_was_never_fitted_is_saved_with_its_settings(tmp_path):
    fresh = learner()
    fresh.save(tmp_path / "mine.pth")
    ours = files.load(tmp_path / "mine.pth")["metaloss"]
    assert ours["settings"]["hypergradient"] == "auto"
    assert ours["fusion"] == {"class": "toys:PlainNet"}
    metaloss.load(tmp_path / "mine.pth", fusion=PlainNet())


def test_what_cannot_be_saved_leaves_the_file_that_was_there(tmp_path):
    subject = learner()
    subject.save(tmp_path / "mine.pth")
    before = (tmp_path / "mine.pth").read_bytes()
    with torch.no_grad():
        next(subject.fusion.parameters())[0] = float("nan")
    with pytest.raises(MetaGradientError):
        subject.save(tmp_path / "mine.pth")
    assert (tmp_path / "mine.pth").read_bytes() == before
    with pytest.raises(CheckpointError, match="is a folder, and cannot be written"):
        learner().save(tmp_path)
    with pytest.raises(CheckpointError, match="is a folder"):
        learner().save("")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.pth"]
